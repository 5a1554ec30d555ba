// Check a .glb by three.js' own loader against the recording of the same drive.
//
// three.js is not part of this project: install it in a folder of its own (npm install three), and
// run this from the project:
//
//     python play.py --headless --keys "0-90:w,60-90:a" --record drive.glb,drive.npz
//     python tests/manual/three_glb.py FOLDER drive.glb drive.npz
//
// That script writes what was recorded as JSON and starts this one. Compares names, parents, the
// pose that the skin is bound in, the number of frames, and all joints in the world at 20 frames.
// Exits with 1 if something is wrong.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const FRAMES = 20;
const MOST_M = 1e-3;

const [, , folder, path, recording] = process.argv;
const modules = pathToFileURL(`${folder}/node_modules/three/`);
const three = await import(new URL("build/three.module.js", modules));
const { GLTFLoader } = await import(new URL("examples/jsm/loaders/GLTFLoader.js", modules));

globalThis.self = globalThis; // the loader looks there for what browsers have

const expected = JSON.parse(readFileSync(recording, "utf8"));
const bytes = readFileSync(path);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const gltf = await new GLTFLoader().parseAsync(buffer, "");
const problems = [];

const nodes = new Map();
const skins = [];
gltf.scene.traverse((node) => {
  nodes.set(node.name, node);
  if (node.isSkinnedMesh) skins.push(node);
});
expected.names.forEach((name, joint) => {
  const node = nodes.get(name);
  if (!node) return problems.push(`no joint ${name}`);
  const parent = expected.parents[joint];
  if (parent >= 0 && node.parent?.name !== expected.names[parent])
    problems.push(`${name} hangs from ${node.parent?.name}`);
});
if (problems.length === 0) {
  const place = new three.Vector3();
  const matrix = new three.Matrix4();
  const away = (name, point) =>
    nodes.get(name).getWorldPosition(place).distanceTo(new three.Vector3(...point));

  gltf.scene.updateMatrixWorld(true);
  let bound = 0;
  for (const skin of skins)
    skin.skeleton.bones.forEach((bone, number) => {
      matrix.copy(skin.skeleton.boneInverses[number]).invert();
      place.setFromMatrixPosition(matrix);
      bound = Math.max(bound, away(bone.name, place.toArray()));
    });

  const [clip] = gltf.animations;
  const times = clip.tracks[0].times;
  if (times.length !== expected.positions.length)
    problems.push(`${times.length} frames; ${expected.positions.length} were recorded`);
  const mixer = new three.AnimationMixer(gltf.scene);
  mixer.clipAction(clip).play();
  let farthest = 0;
  for (let i = 0; i < FRAMES; i++) {
    const frame = Math.round((i * (times.length - 1)) / (FRAMES - 1));
    // At its very end a clip begins anew.
    mixer.setTime(Math.min(times[frame], clip.duration - 1e-6));
    gltf.scene.updateMatrixWorld(true);
    expected.names.forEach((name, joint) => {
      farthest = Math.max(farthest, away(name, expected.positions[frame][joint]));
    });
  }
  const triangles = skins.reduce((sum, skin) => sum + skin.geometry.index.count / 3, 0);
  console.log(
    `three.js ${three.REVISION}: ${expected.names.length} joints, ${skins.length} skinned meshes ` +
      `with ${triangles} triangles, ${gltf.animations.length} animations, ${times.length} frames;\n` +
      `bound pose within ${(1000 * bound).toFixed(4)} mm, joints at ${FRAMES} frames within ` +
      `${(1000 * farthest).toFixed(4)} mm`,
  );
  if (!(bound <= MOST_M && farthest <= MOST_M)) problems.push("joints are not where they should be");
}
for (const problem of problems) console.log(`wrong: ${problem}`);
process.exit(problems.length ? 1 : 0);
