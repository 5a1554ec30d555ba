// The ground, in two pieces: the patch that the shadow map covers (NEAR), and for all the rest one triangle over the
// whole picture, at the far plane, drawn only where nothing else is. Sky and ground out of the shadow's reach are cheap.

out vec3 toward;  // a point of the world that the pixel looks at

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
