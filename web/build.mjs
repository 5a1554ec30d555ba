// Bundles the page into ../assets/web, or the folder that is named. The WebAssembly module is made by `npm run wasm`.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

import { build } from "esbuild";

const out = process.argv[2] ?? "../assets/web";
const common = {
  bundle: true,
  minify: true,
  target: "es2022",
  legalComments: "none", // LICENSES.txt has them
  loader: { ".glsl": "text", ".vert": "text", ".frag": "text" },
  logLevel: "warning",
};
await build({ ...common, entryPoints: ["src/page.ts"], format: "iife", outfile: `${out}/page.js` });
await build({ ...common, entryPoints: ["src/motion_vae.ts"], format: "esm", outfile: `${out}/motion_vae.js` });

const html = readFileSync("index.html", "utf8");
const style = html.match(/<style>([^]*)<\/style>/)[1];
const hash = createHash("sha256").update(style).digest("base64");
writeFileSync(`${out}/index.html`, html.replace("'STYLE'", `'sha256-${hash}'`));

const licence = readFileSync("node_modules/three/LICENSE", "utf8").trim();
writeFileSync(`${out}/LICENSES.txt`, `page.js contains three.js (https://threejs.org):\n\n${licence}\n`);
