// Says times and distances in time in few words.
import { local, t } from "./language";

const two = (figure: number): string => String(figure).padStart(2, "0");

/** "12 s ago", "5 min ago", "3 h ago", "2 d ago"; "just now" for less than two seconds and for the future. */
export function ago(then: number, now: number): string {
  const seconds = Math.floor(now - then);
  if (seconds < 2) return t("just now");
  return t("%(time)s ago", { time: countdown(seconds) });
}

/** A rough length for a person: one unit, rounded down. */
export function countdown(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** "22 Nov 16:32:10" in the page's zone; without the day for a stretch inside one day, without seconds for a long one. */
export function moment(time: number, span: number): string {
  const at = local(time);
  const clock = `${two(at.hour)}:${two(at.minute)}`;
  const day = `${at.day} ${at.month}`;
  if (span <= 86_400) return `${clock}:${two(at.second)}`;
  return span <= 8 * 86_400 ? `${day} ${clock}` : `${day} ${at.year} ${clock}`;
}

/** Labels of a time axis in the page's zone: the clock, and at a new day the date instead of 00:00. */
export function axisTimes(ticks: readonly number[], distance: number): string[] {
  let day = "";
  return ticks.map((tick, index) => {
    const at = local(tick);
    const today = `${at.day} ${at.month}`;
    const fresh = today !== day && (index > 0 || (at.hour === 0 && at.minute === 0));
    day = today;
    if (distance >= 86_400 || (fresh && at.hour === 0)) return today;
    const clock = `${two(at.hour)}:${two(at.minute)}`;
    return distance < 60 ? `${clock}:${two(at.second)}` : clock;
  });
}
