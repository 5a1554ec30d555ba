// Draws characters, their shadow, the ground and the marks on it.

import {
  BufferAttribute, BufferGeometry, DepthTexture, DynamicDrawUsage, InstancedBufferAttribute,
  InstancedBufferGeometry, type IUniform, LessEqualCompare, LinearFilter, LineSegments, Matrix4, Mesh,
  Points, Scene, UnsignedIntType, Vector4, WebGLRenderer, WebGLRenderTarget,
} from "three";

import type { Camera } from "./camera.ts";
import type { Character } from "./character.ts";
import type { Joints } from "./pose.ts";
import type { Player } from "./player.ts";
import { quality } from "./quality.ts";
import * as shaders from "./shaders.ts";
import { Skin } from "./skin.ts";
import { shine, TOWARDS } from "./sun.ts";

const FOG = 0.0042; // 1/m²
const CLEAR = 8; // m: beyond this distance of the camera, the fog gets thinner
const SOLE = 0.055; // m: the radius of the balls that darken the ground under the feet
const RING = 0.42; // m: the radius of the ring around the character
const ARROW_SECONDS = 0.6; // an arrow is as long as the way at its speed in this time
const STILL = 0.08; // m/s: slower velocities have no arrow
const WISH = [0.9, 0.36, 0.05];
const ACTUAL = [0.85, 0.92, 1];
const FACING = [0.55, 0.6, 0.65];
const FLAG = 0.3; // m: the radius of the ring around the point to go to
const WEDGED = -1;
const PLAIN = -2;
const MARKS = 4;

export class View {
  readonly renderer: WebGLRenderer;
  skeleton = false;
  private readonly scene = new Scene();
  private readonly shadows = new Scene();
  private readonly shade: WebGLRenderTarget;
  private readonly uniforms: Record<string, IUniform>;
  private readonly corners = [0, 1, 2, 3].map(() => new Vector4());
  private readonly soles = [0, 1, 2, 3].map(() => new Vector4());
  private readonly marks: InstancedBufferGeometry;
  private skin: Skin | null = null;
  private bones: Lines | null = null;

  constructor(canvas: HTMLCanvasElement) {
    const { antialias, side } = quality();
    this.renderer = new WebGLRenderer({ canvas, antialias });
    this.renderer.autoClear = false;
    this.shade = new WebGLRenderTarget(side, side);
    const depth = new DepthTexture(side, side, UnsignedIntType);
    depth.compareFunction = LessEqualCompare;
    depth.minFilter = depth.magFilter = LinearFilter;
    this.shade.depthTexture = depth;
    this.uniforms = {
      camera: { value: new Matrix4() },
      rays: { value: new Matrix4() },
      sunlight: { value: new Matrix4() },
      eye: { value: new Vector4() },
      sun: { value: new Vector4(TOWARDS.x, TOWARDS.y, TOWARDS.z, 0) },
      shaded: { value: this.corners },
      soles: { value: this.soles },
      shadow_map: { value: depth },
    };
    this.add(quad(), shaders.ground(this.uniforms, true), 1);
    this.add(triangle(), shaders.ground(this.uniforms, false), 2);
    this.marks = quad(MARKS);
    this.add(this.marks, shaders.mark(this.uniforms), 3);
  }

  private add(geometry: BufferGeometry, material: ReturnType<typeof shaders.mark>, order: number): Mesh {
    const mesh = new Mesh(geometry, material);
    mesh.frustumCulled = false;
    mesh.renderOrder = order;
    this.scene.add(mesh);
    return mesh;
  }

  /** Draw this character from now on. */
  use(character: Character): void {
    this.skin?.remove();
    this.bones?.remove();
    this.skin = character.file.body && new Skin(character, this.uniforms, this.scene, this.shadows);
    this.bones = new Lines(character, shaders.line(this.uniforms), this.scene);
    this.soles.forEach((ball) => ball.set(0, -9, 0, 0));
  }

  /** Fit the picture to the window. */
  resize(width: number, height: number): void {
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, quality().ratio));
    this.renderer.setSize(width, height, false);
  }

  /** Show a character as its joints are now, its wish, its velocity and its flag. */
  draw(player: Player, camera: Camera): void {
    const { joints } = player;
    const { soles } = player.character.facts;
    const { lens } = camera;
    const { uniforms } = this;
    const x = joints.positions[0];
    const z = joints.positions[2];
    uniforms.camera.value.multiplyMatrices(lens.projectionMatrix, lens.matrixWorldInverse);
    uniforms.rays.value.copy(uniforms.camera.value).invert();
    const distance = lens.position.distanceTo(camera.aim);
    const fog = FOG / Math.max(1, distance / CLEAR) ** 2;
    uniforms.eye.value.set(lens.position.x, lens.position.y, lens.position.z, fog);
    shine(x, z, uniforms.sunlight.value, this.corners);
    for (let i = 0; i < soles.length; i++) {
      const at = 3 * soles[i];
      const { positions } = joints;
      this.soles[i].set(positions[at], positions[at + 1] + 0.02, positions[at + 2], SOLE);
    }
    this.skin?.place(joints);
    this.bones?.place(joints, this.skeleton || !this.skin);
    this.mark(x, z, player);

    this.renderer.setRenderTarget(this.shade);
    this.renderer.clear();
    this.renderer.render(this.shadows, lens);
    this.renderer.setRenderTarget(null);
    this.renderer.clear();
    this.renderer.render(this.scene, lens);
  }

  /** A ring whose wedge shows the wished facing, arrows of the wish and the velocity, and a ring
   * around the flag. */
  private mark(x: number, z: number, { crowd: { wish }, velocity, flag }: Player): void {
    const place = this.marks.getAttribute("mark") as InstancedBufferAttribute;
    const paint = this.marks.getAttribute("paint") as InstancedBufferAttribute;
    place.setXYZW(0, x, z, wish[2], RING);
    paint.setXYZW(0, FACING[0], FACING[1], FACING[2], WEDGED);
    let count = 1;
    const arrow = (right: number, ahead: number, colour: number[], width: number) => {
      const speed = Math.hypot(right, ahead);
      if (speed <= STILL) return;
      const from = RING / speed;
      const yaw = Math.atan2(right, ahead);
      place.setXYZW(count, x + from * right, z + from * ahead, yaw, speed * ARROW_SECONDS);
      paint.setXYZW(count++, colour[0], colour[1], colour[2], width);
    };
    arrow(wish[0], wish[1], WISH, 0.03);
    arrow(velocity[0], velocity[1], ACTUAL, 0.014);
    if (flag) {
      place.setXYZW(count, flag[0], flag[1], 0, FLAG);
      paint.setXYZW(count++, WISH[0], WISH[1], WISH[2], PLAIN);
    }
    this.marks.instanceCount = count;
    place.needsUpdate = paint.needsUpdate = true;
  }
}

/** Four corners that a shader places by their numbers. */
function quad(instances = 1): InstancedBufferGeometry {
  const geometry = new InstancedBufferGeometry();
  geometry.setIndex([0, 1, 2, 2, 1, 3]);
  geometry.instanceCount = instances;
  for (const name of ["mark", "paint"]) {
    const values = new InstancedBufferAttribute(new Float32Array(4 * instances), 4);
    geometry.setAttribute(name, values.setUsage(DynamicDrawUsage) as InstancedBufferAttribute);
  }
  return geometry;
}

function triangle(): BufferGeometry {
  return new BufferGeometry().setIndex([0, 1, 2]);
}

/** The skeleton: a line for each bone, a dot for each joint, over everything else. */
class Lines {
  private readonly ends: [number, number][] = []; // parent and joint; a joint and -1 for a tip
  private readonly at: BufferAttribute;
  private readonly shown: (LineSegments | Points)[];
  private readonly tips: readonly (readonly number[])[];

  constructor(character: Character, material: ReturnType<typeof shaders.line>, private readonly scene: Scene) {
    const { parents, joints } = character.model;
    this.tips = character.facts.tips;
    for (let j = 0; j < joints; j++) {
      if (parents[j] >= 0) this.ends.push([parents[j], j]);
      if (this.tips[j].some((value) => value !== 0)) this.ends.push([j, -1]);
    }
    this.at = new BufferAttribute(new Float32Array(6 * this.ends.length), 3);
    this.at.setUsage(DynamicDrawUsage);
    const geometry = new BufferGeometry().setAttribute("position", this.at);
    this.shown = [new LineSegments(geometry, material), new Points(geometry, material)];
    for (const each of this.shown) {
      each.frustumCulled = false;
      each.renderOrder = 9;
      scene.add(each);
    }
  }

  place(joints: Joints, visible: boolean): void {
    for (const each of this.shown) each.visible = visible;
    if (!visible) return;
    const out = this.at.array as Float32Array;
    this.ends.forEach(([start, end], i) => {
      joints.point(start, ORIGIN, out, 6 * i);
      if (end < 0) joints.point(start, this.tips[start], out, 6 * i + 3);
      else joints.point(end, ORIGIN, out, 6 * i + 3);
    });
    this.at.needsUpdate = true;
  }

  remove(): void {
    this.shown[0].geometry.dispose();
    this.scene.remove(...this.shown);
  }
}

const ORIGIN = [0, 0, 0];
