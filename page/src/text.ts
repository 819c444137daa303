/** Numbers and times as the page writes them. */

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

const two = (number: number): string => String(number).padStart(2, "0");

/** A position such as 1:02:03, or 2:03. */
export function clock(seconds: number): string {
  const all = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(all / HOUR_S), Math.floor(all / MINUTE_S) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

/** A position with tenths, such as 2:03.4. */
export function fineClock(seconds: number): string {
  const tenths = Math.max(0, Math.round(seconds * 10));
  return `${clock(Math.floor(tenths / 10))}.${tenths % 10}`;
}

/** A length such as 4.2 s, 3 min 20 s or 1 h 5 min. */
export function length(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const all = Math.round(seconds);
  if (all < MINUTE_S) return `${all} s`;
  if (all < HOUR_S) return `${Math.floor(all / MINUTE_S)} min ${all % MINUTE_S} s`;
  const minutes = Math.round(all / MINUTE_S);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A size such as 5.2 MB. */
export function fileSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ""}`;
}

/** A share of 1 such as 42 %. */
export const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** When something happened, as seen from now; both in seconds since 1970. */
export function ago(then: number, now: number): string {
  const passed = Math.max(0, now - then);
  if (passed < MINUTE_S) return "just now";
  if (passed < HOUR_S) return count(Math.floor(passed / MINUTE_S), "minute") + " ago";
  if (passed < DAY_S) return count(Math.floor(passed / HOUR_S), "hour") + " ago";
  return new Date(then * 1000).toLocaleDateString("en", { dateStyle: "medium" });
}

/** A number of things, such as 1 turn or 3 turns. */
export const count = (number: number, thing: string): string =>
  `${number} ${thing}${number === 1 ? "" : "s"}`;

/** A word with a capital first letter. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
