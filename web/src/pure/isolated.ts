// Finds samples that no line reaches.

/** Rows whose value stands between two gaps, so that only a dot shows it; null when there are none. */
export function isolated(column: ArrayLike<number | null | undefined>): number[] | null {
  const rows: number[] = [];
  let before: number | null = null;
  let candidate = -1;
  for (let row = 0; row < column.length; row++) {
    const value = column[row];
    if (value === undefined) continue;
    if (value === null) {
      if (candidate !== -1) rows.push(candidate);
      candidate = -1;
    } else candidate = before === null ? row : -1;
    before = value;
  }
  if (candidate !== -1) rows.push(candidate);
  return rows.length ? rows : null;
}
