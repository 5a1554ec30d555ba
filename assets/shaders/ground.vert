// The ground, in two parts: the patch that the shadow map covers (NEAR); and one triangle over the
// whole picture, at the far plane, which is drawn only where nothing else is. So the sky and the
// ground outside the shadow map are cheap.

out vec3 toward;  // a point in the world, in the direction of the pixel

void main() {
#if NEAR
    toward = shaded[gl_VertexID].xyz;
    gl_Position = camera * vec4(toward, 1.0);
#else
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    vec4 far = rays * vec4(corner, 1.0, 1.0);
    toward = far.xyz / far.w;
    gl_Position = vec4(corner, 1.0, 1.0);
#endif
}
