// Says times and distances in time in few words.

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const two = (figure: number): string => String(figure).padStart(2, "0");

/** "12 s ago", "5 min ago", "3 h ago", "2 d ago"; "just now" for less than two seconds and for the future. */
export function ago(then: number, now: number): string {
  const seconds = Math.floor(now - then);
  if (seconds < 2) return "just now";
  return `${countdown(seconds)} ago`;
}

/** A rough length for a person: one unit, rounded down. */
export function countdown(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Local "22 Nov 16:32:10"; without the day for a stretch inside one day, without seconds for a long one. */
export function moment(time: number, span: number): string {
  const date = new Date(time * 1000);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  const day = `${date.getDate()} ${MONTHS[date.getMonth()] ?? ""}`;
  if (span <= 86_400) return `${clock}:${two(date.getSeconds())}`;
  return span <= 8 * 86_400 ? `${day} ${clock}` : `${day} ${date.getFullYear()} ${clock}`;
}

/** Labels of a time axis in local time: the clock, and at a new day the date instead of 00:00. */
export function axisTimes(ticks: readonly number[], distance: number): string[] {
  let day = "";
  return ticks.map((tick, index) => {
    const date = new Date(tick * 1000);
    const today = `${date.getDate()} ${MONTHS[date.getMonth()] ?? ""}`;
    const fresh = today !== day && (index > 0 || (date.getHours() === 0 && date.getMinutes() === 0));
    day = today;
    if (distance >= 86_400 || (fresh && date.getHours() === 0)) return today;
    const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return distance < 60 ? `${clock}:${two(date.getSeconds())}` : clock;
  });
}
