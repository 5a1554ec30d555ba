// Lines over the ground, as controller/tasks/polyline.py and the path task have them. Points are
// x, z, x, z, … in metres.

export const SPACING = 0.1; // m between two points of a path
export const SHORTEST = 0.5; // m
const SMOOTHING = 0.2; // m: the filter's deviation that takes the tremor out of a line drawn by hand
const SEARCH = 4; // pieces of a path among which the nearest point is searched

export function lengthOf(points: ArrayLike<number>): number {
  let length = 0;
  for (let i = 2; i < points.length; i += 2)
    length += Math.hypot(points[i] - points[i - 2], points[i + 1] - points[i - 1]);
  return length;
}

/** Points 0.1 m apart along a line; a shorter remainder at its end is dropped. */
export function resampled(points: ArrayLike<number>): Float64Array {
  const count = Math.floor(lengthOf(points) / SPACING + 1e-4) + 1;
  const out = new Float64Array(2 * count);
  let along = 0; // where the piece begins
  let piece = 2;
  let size = 0;
  const measure = () => Math.hypot(points[piece] - points[piece - 2], points[piece + 1] - points[piece - 1]);
  if (points.length > 2) size = measure();
  for (let i = 0; i < count; i++) {
    while (piece + 2 < points.length && along + size <= SPACING * i) {
      along += size;
      piece += 2;
      size = measure();
    }
    const share = size > 0 ? Math.min((SPACING * i - along) / size, 1) : 0;
    for (let k = 0; k < 2; k++) {
      const start = points[piece - 2 + k];
      out[2 * i + k] = start + share * ((points[piece + k] ?? start) - start);
    }
  }
  return out;
}

/** A line drawn by hand without its tremor and its uneven steps. Its ends stay where they are. */
export function smoothed(points: ArrayLike<number>): Float64Array {
  const line = resampled(points);
  const last = line.length / 2 - 1;
  const deviation = SMOOTHING / SPACING;
  const reach = Math.min(Math.round(3 * deviation), last);
  const weights: number[] = [];
  for (let k = -reach; k <= reach; k++) weights.push(Math.exp(-0.5 * (k / deviation) ** 2));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const at = (i: number, k: number) => // beyond the ends, the line goes on point-symmetrically
    i < 0 ? 2 * line[k] - line[-2 * i + k]
      : i > last ? 2 * line[2 * last + k] - line[2 * (2 * last - i) + k] : line[2 * i + k];
  return line.map((_, index) => {
    let sum = 0;
    for (let j = -reach; j <= reach; j++) sum += weights[j + reach] * at((index >> 1) + j, index & 1);
    return sum / total;
  });
}

/** A line to walk along, and how far one has come on it. */
export class Path {
  /** Metres. */
  walked = 0;
  readonly last: number;

  constructor(readonly points: Float64Array) {
    this.last = points.length / 2 - 1;
  }

  get length(): number {
    return SPACING * this.last;
  }

  /** The point so many metres along; beyond an end, the end itself. */
  at(along: number): [number, number] {
    const pieces = Math.min(Math.max(along, 0), this.length) / SPACING;
    const i = Math.max(Math.min(Math.floor(pieces), this.last - 1), 0);
    const { points } = this;
    const share = pieces - i;
    return [0, 1].map((k) => points[2 * i + k] + share * (points[2 * i + 2 + k] - points[2 * i + k])) as
      [number, number];
  }

  /** Come to the point that is nearest to (x, z), within the next 0.4 m. */
  follow(x: number, z: number): void {
    const first = Math.floor(this.walked / SPACING);
    let least = Infinity;
    let along = this.walked;
    for (let i = first; i < Math.min(first + SEARCH, this.last); i++) {
      const [ax, az, bx, bz] = this.points.subarray(2 * i, 2 * i + 4);
      const square = Math.max((bx - ax) ** 2 + (bz - az) ** 2, 1e-6);
      const share = Math.min(Math.max(((x - ax) * (bx - ax) + (z - az) * (bz - az)) / square, 0), 1);
      const apart = (ax + share * (bx - ax) - x) ** 2 + (az + share * (bz - az) - z) ** 2;
      if (apart < least) [least, along] = [apart, SPACING * (i + share)];
    }
    this.walked = Math.min(Math.max(along, this.walked), this.length);
  }
}

const POINTS = 2000; // of a curved shape

function curve(place: (share: number) => [number, number], count = POINTS): number[] {
  const out: number[] = [];
  for (let i = 0; i < count; i++) out.push(...place(i / (count - 1)));
  const [x, z] = out;
  return out.map((value, i) => value - (i % 2 ? z : x));
}

/** Lines that begin at the origin: those of controller/tasks/shapes.py. */
export const SHAPES: Record<string, () => number[]> = {
  "figure-8": () => curve((share) => {
    const angle = Math.PI * (1.5 + 2 * share);
    const scale = 4 / (1 + Math.sin(angle) ** 2);
    return [scale * Math.sin(angle) * Math.cos(angle), scale * Math.cos(angle)];
  }),
  heart: () => curve((share) => {
    const t = Math.PI * (1 + 2 * share);
    const up = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
    return [3 * Math.sin(t) ** 3, (6 / 32) * up];
  }),
  zigzag: () => curve((share) => {
    const leg = 2.5 * Math.SQRT1_2;
    return [leg * (Math.round(6 * share) % 2), leg * Math.round(6 * share)];
  }, 7),
  spiral: () => curve((share) => {
    const radius = 3 - 2.2 * share;
    return [radius * Math.cos(5 * Math.PI * share), radius * Math.sin(5 * Math.PI * share)];
  }),
};

/** A line moved from the origin to a place (x, z, yaw). */
export function placed(points: readonly number[], [x, z, yaw]: Iterable<number>): number[] {
  const [c, s] = [Math.cos(yaw), Math.sin(yaw)];
  return points.map((_, i) => {
    const [right, ahead] = i % 2 ? [points[i - 1], points[i]] : [points[i], points[i + 1]];
    return i % 2 ? z + c * ahead - s * right : x + c * right + s * ahead;
  });
}
