out vec3 point;
out vec3 direction;
#if TEXTURED
out vec4 paint;
out vec2 uv;
#else
flat out vec4 paint;
out float open;
#endif

void main() {
    place(point, direction);
#if TEXTURED
    paint = vec4(colour.rgb * colour.rgb, colour.a);
    uv = place_in_picture;
#else
    paint = vec4(colour.rgb * colour.rgb, -1.0);  // without a cuff
    open = colour.a;
#endif
    gl_Position = camera * vec4(point, 1.0);
    gl_ClipDistance[0] = point.y + shaded[0].w;  // flat ground has no depth that would hide more
}
