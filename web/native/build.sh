#!/bin/sh
# Compiles the controller to WebAssembly. Debian: apt-get install clang lld
set -e
cd "$(dirname "$0")"
clang --target=wasm32 -mcpu=generic -msimd128 -mbulk-memory -O3 -std=c11 -ffreestanding -fno-builtin-strlen -fno-math-errno \
    -nostdlib -isystem . -Wall -Wextra -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=65536 \
    page.c -o ../../assets/web/motion_vae.wasm
chmod 644 ../../assets/web/motion_vae.wasm
