// A character that plays, alone or as a crowd of itself.

import type { Character } from "./character.ts";
import { Cast, type Slope } from "./drawn.ts";
import { Joints } from "./pose.ts";
import type { Crowd } from "./runtime.ts";

export class Player {
  /** Those that play now. */
  cast: Cast;
  /** The number of the one that the camera follows. */
  who = 0;
  /** m/s over the ground, (x, z), of that one in the last step. */
  readonly velocity = [0, 0];
  readonly joints: Joints;
  private readonly casts: Cast[];
  private readonly kept: Cast; // a place to remember one in
  private readonly here = new Float64Array(3);

  constructor(readonly character: Character) {
    this.cast = new Cast(character, 1);
    this.casts = [this.cast];
    this.kept = new Cast(character, 1);
    this.joints = new Joints(character.model);
  }

  get crowd(): Crowd { return this.cast.crowd; }

  /** x, z and yaw of the one that is followed; the same array each time. */
  get place(): Float64Array {
    for (let i = 0; i < 3; i++) this.here[i] = this.crowd.places[3 * this.who + i];
    return this.here;
  }

  /** The style that was asked for; "" if there are none. */
  styled = "";

  /** Ask for the style that is so many places on. */
  style(places: number): void {
    const { styles } = this.character.facts;
    if (!styles.length) return;
    const now = Math.max(styles.indexOf(this.styled), 0);
    const next = (now + places + styles.length) % styles.length;
    this.styled = styles[next];
    for (let i = 0; i < this.cast.characters; i++) this.crowd.style(i, next);
    this.cast.drawn.switch(this.who);
  }

  /** Go on as so many. The one that is followed becomes the first; the task places the others. */
  become(characters: number): void {
    const { cast, who } = this;
    let next = this.casts.find((each) => each.characters === characters);
    if (!next) this.casts.push(next = new Cast(this.character, characters));
    if (next !== cast) {
      next.crowd.copy(0, cast.crowd, who);
      next.drawn.move(0, cast.drawn, who);
      next.motion.move(0, cast.motion, who);
    }
    this.cast = next;
    this.who = 0;
  }

  /** The others were placed anew: show them there at once, and the first one where it was. */
  show(held: boolean, slope: Slope): void {
    const { cast: { drawn, motion }, kept } = this;
    kept.drawn.move(0, drawn, 0);
    kept.motion.move(0, motion, 0);
    drawn.next(held, slope);
    motion.jump();
    drawn.move(0, kept.drawn, 0);
    motion.move(0, kept.motion, 0);
  }

  /** Stand alone at the origin, in a reset pose that hardly moves. */
  reset(held: boolean, slope: Slope): void {
    this.stand(0, 0, 0, 0, 0);
    this.cast.drawn.cut(0);
    this.appear(held, slope);
  }

  /** Go on where another one is, about as fast. It begins in the other's pose, if both have the same
   * skeleton. */
  takeOver(other: Player, held: boolean, slope: Slope): void {
    const [x, z, yaw] = other.place;
    const [right, ahead] = other.velocity;
    const forward = Math.sin(yaw) * right + Math.cos(yaw) * ahead;
    const left = Math.cos(yaw) * right - Math.sin(yaw) * ahead;
    this.stand(x, z, yaw, forward, left);
    if (alike(this.character, other.character)) this.cast.drawn.follow(0, other.cast.drawn, other.who);
    else this.cast.drawn.cut(0);
    for (let i = 0; i < 2; i++) this.velocity[i] = other.velocity[i];
    this.appear(held, slope);
  }

  private stand(x: number, z: number, yaw: number, forward: number, left: number): void {
    this.cast = this.casts[0];
    this.who = 0;
    this.crowd.reset(0, this.character.model.nearest(forward, left), x, z, yaw);
    this.velocity.fill(0);
  }

  private appear(held: boolean, slope: Slope): void {
    this.cast.drawn.next(held, slope);
    this.cast.motion.jump();
  }

  /** After a step of the crowd from (x, z): what is drawn of it. */
  take(x: number, z: number, held: boolean, slope: Slope): void {
    const { drawn, motion } = this.cast;
    const { rate } = this.character.model;
    const { place } = this;
    drawn.next(held, slope);
    motion.take();
    this.velocity[0] = (place[0] - x) * rate;
    this.velocity[1] = (place[1] - z) * rate;
  }
}

/** Whether two characters have the same joints and, to a millimetre, the same bones. */
function alike(one: Character, other: Character): boolean {
  const names = (each: Character) => each.facts.joints.join();
  const { offsets } = other.model;
  return names(one) === names(other)
    && one.model.offsets.every((value, i) => Math.abs(value - offsets[i]) < 1e-3);
}
