// Moments as the reader's own clock shows them.

const format = (options) => new Intl.DateTimeFormat(undefined, options);
const STYLES = {
  t: format({ timeStyle: "short" }),
  T: format({ timeStyle: "medium" }),
  d: format({ dateStyle: "short" }),
  D: format({ dateStyle: "long" }),
  f: format({ dateStyle: "long", timeStyle: "short" }),
  F: format({ dateStyle: "full", timeStyle: "short" }),
  s: format({ dateStyle: "short", timeStyle: "short" }),
  S: format({ dateStyle: "short", timeStyle: "medium" }),
};
const STEPS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** "in 3 days", "2 hours ago". */
export function fromNow(moment, now = Date.now()) {
  const seconds = Math.round((moment - now) / 1000);
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? STEPS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

/** A moment in one of Discord's styles; `R` counts from now. */
export function styled(moment, style = "f") {
  return style === "R" ? fromNow(moment) : STYLES[style].format(moment);
}

/** The whole of a moment, for a tooltip. */
export const whole = (moment) => STYLES.F.format(moment);
export const clock = (moment) => STYLES.t.format(moment);
export const day = (moment) => STYLES.D.format(moment);

const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);

/** Whether two moments are on one day here. */
export const sameDay = (a, b) => midnight(a) === midnight(b);

/** "Today at 14:03", as beside a name. */
export function stamp(moment) {
  const days = Math.round((midnight(Date.now()) - midnight(moment)) / 86_400_000);
  if (days === 0) return `Today at ${clock(moment)}`;
  return days === 1 ? `Yesterday at ${clock(moment)}` : STYLES.s.format(moment);
}

/** Keeps every `<time data-from-now>` on the page true. */
export function keepCounting() {
  setInterval(() => {
    for (const one of document.querySelectorAll("time[data-from-now]")) one.textContent = fromNow(new Date(one.dateTime));
  }, 15_000);
}
