// Talking to local Discord: questions and deeds by HTTP, and a connection on which it tells what changed.

/** Sends JSON and returns what comes back; throws an Error whose message is the server's sentence. */
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(`/local/${path}`, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("Local Discord does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const problem = new Error(answer.error ?? `Local Discord answered ${response.status}.`);
  problem.status = response.status;
  throw problem;
}

export const post = (path, body) => call("POST", path, body);
export const get = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return call("GET", `${path}?${new URLSearchParams(given)}`);
};

/** A file as `/local/` wants it. */
export function carried(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(new Error(`${file.name} cannot be read.`));
    reader.onload = () => {
      const base64 = reader.result.slice(reader.result.indexOf(",") + 1);
      const filename = file.name.replaceAll("/", "_").slice(-200) || "file";
      resolve({ filename, content_type: file.type || "application/octet-stream", base64: file.size ? base64 : "" });
    };
    reader.readAsDataURL(file);
  });
}

const SHORTEST_MS = 300;
const LONGEST_MS = 5000;

/**
 * The connection. It comes back by itself and asks for everything after the last cursor it was given, so what happened
 * in between is heard once it is back. `heard(frame)`, `state(connected)`, and `lost()` when the cursor is too old.
 */
export class Live {
  constructor(user, cursor, { heard, state, lost }) {
    Object.assign(this, { user, cursor, heard, state, lost, pause: SHORTEST_MS, ended: false });
    this.connect();
  }

  connect() {
    const query = new URLSearchParams({ user: this.user, after: this.cursor });
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/local/live?${query}`);
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      if (this.ended) return;
      const frame = JSON.parse(data);
      if (frame.reset) {
        this.end();
        this.lost();
        return;
      }
      this.pause = SHORTEST_MS;
      this.state(true);
      this.heard(frame);
      // After what it tells was taken in: a frame that failed is asked for again.
      if (frame.cursor) this.cursor = frame.cursor;
    };
    socket.onclose = () => {
      if (this.ended) return;
      this.state(false);
      this.timer = setTimeout(() => this.connect(), this.pause);
      this.pause = Math.min(LONGEST_MS, this.pause * 1.6);
    };
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
