// What the page knows: who looks, who and what there is, and the messages of the rooms that were opened.

import { byId } from "./dom.js";
import { get, Live, post } from "./server.js";

export const DM = "dm";
const MOST_KEPT = 400;

export const state = {
  me: null,
  guild: { id: "", name: "" },
  bot: null,
  botReady: false,
  connected: false,
  people: new Map(),
  roles: [],
  channels: [],
  commands: [],
  rooms: new Map(),
  room: "general",
  unread: new Set(),
  dismissed: new Set(),
};

const listeners = new Map();

/** Hear of a kind of change: "people", "channels", "messages", "room", "commands", "connection", "interaction". */
export function on(kinds, heard) {
  for (const kind of kinds.split(" ")) listeners.set(kind, [...(listeners.get(kind) ?? []), heard]);
}

export function tell(kind, detail) {
  for (const heard of listeners.get(kind) ?? []) heard(detail);
}

export const me = () => state.people.get(state.me);
export const person = (id) => state.people.get(String(id));
export const everybody = () => [...state.people.values()];
export const channel = (name) => state.channels.find((one) => one.name === name);
export const isDirect = () => state.room === DM;
export const mayWrite = () => Boolean(me()?.in_guild);

export function room(name) {
  if (!state.rooms.has(name)) state.rooms.set(name, { name, items: new Map(), loaded: false, more: false, newest: idOfNow() });
  return state.rooms.get(name);
}

// Discord's ids begin with the milliseconds since 2015. What is older than the first look at a room is not news there.
const idOfNow = () => ((BigInt(Date.now()) - 1_420_070_400_000n) << 22n).toString();

/** The messages of a room in Discord's order, that of their ids. */
export const messagesOf = (name) => [...room(name).items.values()].filter((one) => !state.dismissed.has(one.id)).sort((a, b) => byId(a.id, b.id));
export const message = (id) => [...state.rooms.values()].map((one) => one.items.get(id)).find(Boolean);

let live = null;

/** Reads who there is, for choosing whom to be. */
export async function readPeople() {
  takeView(await get("view"));
}

/** Becomes a person: reads all they see and listens from there on. */
export async function become(id, wanted) {
  live?.end();
  live = null;
  const view = await get("view", { user: id });
  state.me = id;
  state.rooms.clear();
  state.unread.clear();
  takeView(view);
  await open(wanted && (wanted === DM || channel(wanted)) ? wanted : defaultRoom());
  listen(view.cursor);
}

const defaultRoom = () => (me().in_guild ? (channel("general") ?? state.channels[0])?.name ?? DM : DM);

function takeView(view) {
  state.guild = view.guild;
  state.roles = view.roles;
  state.people = new Map(view.people.map((one) => [one.id, one]));
  state.bot = view.bot;
  state.botReady = view.bot_ready;
  state.channels = view.channels;
  state.commands = view.commands;
  for (const kind of ["people", "channels", "commands", "connection"]) tell(kind);
}

function listen(cursor) {
  live = new Live(state.me, cursor, {
    heard: take,
    state: (connected) => {
      if (state.connected === connected) return;
      state.connected = connected;
      tell("connection");
    },
    lost: () => readAgain(),
  });
}

/** Reads everything again and goes on listening: after a restart of the server, or when one's own rights changed. */
async function readAgain() {
  const was = state.me;
  try {
    const view = await get("view", { user: was });
    if (state.me !== was) return;
    for (const one of state.rooms.values()) one.loaded = false;
    takeView(view);
    if (state.room !== DM && !channel(state.room)) state.room = defaultRoom();
    await open(state.room, { afresh: true });
    if (state.me !== was) return;
    live?.end();
    listen(view.cursor);
  } catch (problem) {
    if (problem.status === 404) {
      tell("nobody");
      return;
    }
    setTimeout(readAgain, 1000);
  }
}

function take(frame) {
  if (frame.bot_ready !== state.botReady) {
    state.botReady = frame.bot_ready;
    tell("connection");
  }
  for (const one of frame.people ?? []) state.people.set(one.id, one);
  if (frame.people) tell("people", frame.people.map((one) => one.id));
  if (frame.commands) {
    state.commands = frame.commands;
    tell("commands");
  }
  for (const one of frame.messages ?? []) put(one);
  for (const id of frame.gone ?? []) {
    for (const one of state.rooms.values()) {
      one.items.delete(id);
      one.meanwhile?.set(id, null);
    }
  }
  if (frame.messages || frame.gone) tell("messages", frame);
  for (const one of frame.interactions ?? []) tell("interaction", one);
  // Other rights, other channels, commands and messages: the server alone knows which.
  if (frame.people?.some((one) => one.id === state.me)) readAgain();
}

function put(one) {
  const there = room(one.channel);
  there.meanwhile?.set(one.id, one);
  if (there.loaded) {
    there.items.set(one.id, one);
    trim(there);
  }
  if (one.loading || byId(one.id, there.newest) <= 0) return;
  there.newest = one.id;
  if (one.author !== state.me && one.channel !== state.room && !state.unread.has(one.channel)) {
    state.unread.add(one.channel);
    tell("channels");
  }
}

function trim(there) {
  if (there.items.size <= MOST_KEPT || there.name === state.room) return;
  const oldest = [...there.items.keys()].sort(byId).slice(0, there.items.size - MOST_KEPT);
  for (const id of oldest) there.items.delete(id);
  there.more = true;
}

/** Puts in a note that only this page knows of, such as that the bot did not answer. */
export function putNote(note) {
  room(note.channel).items.set(note.id, note);
  tell("messages", { messages: [note] });
}

/** Goes to a room, reading its newest messages when they are not here. */
export async function open(name, { afresh = false } = {}) {
  const there = room(name);
  state.room = name;
  state.unread.delete(name);
  tell("channels");
  if (!there.loaded) {
    if (!afresh) tell("room", { loading: true });
    await readPage(there, undefined, afresh);
    there.loaded = true;
  }
  if (state.room === name) tell("room", { afresh });
}

async function readPage(there, before, afresh = false) {
  // What is heard while the page is under way is newer than the page.
  const meanwhile = (there.meanwhile = new Map());
  const page = await get("history", { user: state.me, channel: there.name, before });
  if (afresh) there.items.clear();
  for (const one of page.items) there.items.set(one.id, one);
  for (const [id, one] of meanwhile) one ? there.items.set(id, one) : there.items.delete(id);
  if (there.meanwhile === meanwhile) there.meanwhile = null;
  there.more = page.more;
}

/** Reads the messages before the oldest that is here. */
export async function readOlder() {
  const there = room(state.room);
  if (!there.more || there.reading) return;
  there.reading = true;
  try {
    await readPage(there, [...there.items.keys()].sort(byId)[0]);
  } finally {
    there.reading = false;
  }
  tell("messages", { older: true });
}

export function dismiss(id) {
  state.dismissed.add(id);
  tell("messages", { gone: [id] });
}

/** A new person joins; returns their id. */
export async function join(name) {
  return (await post("users", { name })).id;
}

export const change = (id, what) => post(`users/${id}`, what);

// What look-ups markdown needs; the rest of the page fills in what happens on a click.
export const look = {
  person,
  role: (id) => state.roles.find((one) => one.id === id),
  channel: (id) => state.channels.find((one) => one.id === id),
  isMe: (id) => id === state.me,
  openChannel: (name) => open(name),
  showPerson: () => {},
  useCommand: () => {},
};
