// Draws characters, their shadow, the ground and the marks on it.
//
// Ground that is tilted is drawn as if it were level, in a frame that is turned with it: so it can
// still be drawn as one plane at height 0.

import {
  BufferGeometry, DepthTexture, type IUniform, LessEqualCompare, LinearFilter, Matrix4, Mesh, Scene,
  UnsignedIntType, Vector3, Vector4, WebGLRenderer, WebGLRenderTarget,
} from "three";

import type { Camera } from "./camera.ts";
import type { Character } from "./character.ts";
import type { Slope } from "./drawn.ts";
import { Lines } from "./lines.ts";
import { Marks, quad, stretch } from "./marks.ts";
import type { Play } from "./play.ts";
import { Joints } from "./pose.ts";
import { quality } from "./quality.ts";
import * as shaders from "./shaders.ts";
import { Skin } from "./skin.ts";
import { shine, TOWARDS } from "./sun.ts";

const FOG = 0.0042; // 1/m²
const CLEAR = 8; // m: beyond this distance of the camera, the fog gets thinner
const SOLE = 0.055; // m: the radius of the balls that darken the ground under the feet

export class View {
  readonly renderer: WebGLRenderer;
  skeleton = false;
  private readonly scene = new Scene();
  private readonly shadows = new Scene();
  private readonly shade: WebGLRenderTarget;
  private readonly uniforms: Record<string, IUniform>;
  private readonly corners = [0, 1, 2, 3].map(() => new Vector4());
  private readonly soles = [0, 1, 2, 3].map(() => new Vector4());
  private readonly marks = new Marks();
  private character: Character | null = null;
  private skin: Skin | null = null;
  private crowd: Skin | null = null;
  private others: Joints | null = null;
  private bones: Lines | null = null;
  private readonly tilt = [1, 0, 0, 0, 1, 0, 0, 0, 1]; // from the world to what is drawn
  private readonly untilt = new Matrix4();
  private readonly eye = new Vector3();

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
    this.add(this.marks.geometry, shaders.mark(this.uniforms), 3);
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
    if (this.character === character) return;
    this.character = character;
    this.skin?.remove();
    this.bones?.remove();
    this.crowd?.remove();
    this.crowd = null;
    this.others = new Joints(character.model);
    this.skin = character.file.body && new Skin(character, this.uniforms, this.scene, this.shadows);
    this.bones = new Lines(character, shaders.line(this.uniforms), this.scene);
    this.soles.forEach((ball) => ball.set(0, -9, 0, 0));
  }

  /** Fit the picture to the window. */
  resize(width: number, height: number): void {
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, quality().ratio));
    this.renderer.setSize(width, height, false);
  }

  /** Show what is played, at a share of the way to the newest step, through a camera that already
   * looks there. */
  draw(play: Play, camera: Camera, share: number): void {
    const { player } = play;
    const { joints, cast, who } = player;
    this.lean(play.slope);
    cast.motion.between(share, who, joints, this.tilt);
    const { positions } = joints;
    this.frame(camera, positions[0], positions[2]);
    const { soles } = player.character.facts;
    for (let i = 0; i < soles.length; i++) {
      const at = 3 * soles[i];
      this.soles[i].set(positions[at], positions[at + 1] + 0.02, positions[at + 2], SOLE);
    }
    this.skin?.place(joints);
    this.bones?.place(joints, this.skeleton || !this.skin);
    this.surround(play, share);
    this.marks.draw(play, positions[0], positions[2] / stretch(play.slope), cast.drawn.roots);

    this.renderer.setRenderTarget(this.shade);
    this.renderer.clear();
    this.renderer.render(this.shadows, camera.lens);
    this.renderer.setRenderTarget(null);
    this.renderer.clear();
    this.renderer.render(this.scene, camera.lens);
  }

  /** The frame in which ground of this slope is level. */
  private lean({ south }: Slope): void {
    const cos = 1 / Math.sqrt(1 + south * south);
    const sin = south * cos;
    this.tilt[4] = this.tilt[8] = cos;
    this.tilt[5] = -sin;
    this.tilt[7] = sin;
    this.untilt.set(1, 0, 0, 0, 0, cos, sin, 0, 0, -sin, cos, 0, 0, 0, 0, 1);
  }

  /** What all shaders know of the picture, around a character at (x, z) of what is drawn. */
  private frame({ lens, aim }: Camera, x: number, z: number): void {
    const { uniforms, eye, tilt } = this;
    uniforms.camera.value.multiplyMatrices(lens.projectionMatrix, lens.matrixWorldInverse)
      .multiply(this.untilt);
    uniforms.rays.value.copy(uniforms.camera.value).invert();
    const distance = lens.position.distanceTo(aim);
    const fog = FOG / Math.max(1, distance / CLEAR) ** 2;
    eye.copy(lens.position);
    uniforms.eye.value.set(eye.x, tilt[4] * eye.y + tilt[5] * eye.z, tilt[7] * eye.y + tilt[8] * eye.z, fog);
    shine(x, z, uniforms.sunlight.value, this.corners);
  }

  /** The others of a crowd, all in one call of the graphics driver. */
  private surround(play: Play, share: number): void {
    const { cast, who, character } = play.player;
    const count = cast.characters - 1;
    if (count && this.skin)
      this.crowd ??= new Skin(character, this.uniforms, this.scene, this.shadows, count);
    this.crowd?.show(count > 0);
    if (!count || !this.crowd) return;
    let place = 0;
    for (let i = 0; i <= count; i++) {
      if (i === who) continue;
      cast.motion.between(share, i, this.others!, this.tilt);
      this.crowd.place(this.others!, place++);
    }
  }
}

function triangle(): BufferGeometry {
  return new BufferGeometry().setIndex([0, 1, 2]);
}
