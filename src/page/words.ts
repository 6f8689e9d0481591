import { formatDuration } from "../config/durations.ts";
import type { Phase } from "../store/phases.ts";
import { isoTime } from "../uws/document.ts";
import { html, type Html } from "./html.ts";

/** `3m12s ago`, with the time itself for those who point at it; the script keeps it true. */
export const age = (at: number, now: number): Html =>
  html`<time datetime="${isoTime(at)}" title="${utc(at)}" data-age
    >${at > now ? "in " : ""}${span(Math.abs(now - at))}${at > now ? "" : " ago"}</time
  >`;

/** A time as people read it, UTC. */
export const utc = (at: number): string => `${isoTime(at).slice(0, 19).replace("T", " ")} UTC`;

/** The time, and how far it is from now. Null: there is none. */
export const timeAndAge = (at: number | null, now: number): Html | null =>
  at === null ? null : html`${utc(at)} <span class="soft">(${age(at, now)})</span>`;

/** Whole seconds are enough for what goes on. */
const span = (milliseconds: number): string => formatDuration(Math.max(1, Math.round(milliseconds / 1000)) * 1000);

/** How long it took, or has been going on. */
export function took(from: number | null, to: number | null, now: number): Html | string {
  if (from === null) return "";
  if (to !== null) return formatDuration(Math.max(0, to - from));
  return html`<time datetime="${isoTime(from)}" data-since>${span(now - from)}</time>`;
}

export const badge = (phase: Phase): Html =>
  html`<span class="phase ${phase.toLowerCase()}"><i aria-hidden="true"></i>${phase}</span>`;

export const percent = (fraction: number): string => `${Math.floor(fraction * 100)} %`;

/** How far a job has come: 0 to 1. */
export interface Progress {
  readonly fraction: number;
  readonly message: string | null;
}

export const progressBar = ({ fraction, message }: Progress): Html =>
  html`<div class="progress">
    <progress max="1" value="${fraction.toFixed(3)}" aria-label="Progress"></progress
    ><span>${percent(fraction)}${message === null ? "" : html` <span class="soft">${message}</span>`}</span>
  </div>`;

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A number of bytes for people. */
export function byteSize(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${UNITS[power]}`;
}

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
