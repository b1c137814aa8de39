// Interactions that the bot has not answered yet. Discord gives it three seconds for its first word.

import { get } from "./server.js";
import { on, tell } from "./state.js";

// A little more than the bot has, so that an answer of the last moment is not called missing.
const PATIENCE_MS = 3600;
const waiting = new Map();
// What was answered before the page knew the interaction's id.
const early = new Map();
const EARLY_KEPT = 50;

/** Waits for the bot's first answer; `answered(interaction)` or `failed()` is called, once. */
export function expect(id, { source, customId, answered = () => {}, failed = () => {} }) {
  if (early.has(id)) {
    answered(early.get(id));
    early.delete(id);
    return;
  }
  const timer = setTimeout(() => look(id), PATIENCE_MS);
  waiting.set(id, { source, customId, answered, failed, timer });
  if (source) tell("messages", { redraw: source });
}

/** Whether the bot still owes an answer to this component. */
export const isWaiting = (source, customId) => [...waiting.values()].some((one) => one.source === source && one.customId === customId);

// The connection may be away just now, so the server is asked before the bot is blamed.
async function look(id) {
  const known = await get(`interactions/${id}`).catch(() => null);
  if (waiting.has(id)) settle(id, known?.answered ? known : null);
}

function settle(id, interaction) {
  const { timer, source, answered, failed } = waiting.get(id);
  clearTimeout(timer);
  waiting.delete(id);
  if (source) tell("messages", { redraw: source });
  if (interaction) answered(interaction);
  else failed();
}

on("interaction", (interaction) => {
  if (!interaction.answered) return;
  if (waiting.has(interaction.id)) settle(interaction.id, interaction);
  else {
    early.set(interaction.id, interaction);
    if (early.size > EARLY_KEPT) early.delete(early.keys().next().value);
  }
});
