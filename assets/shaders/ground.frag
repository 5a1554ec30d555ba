in vec3 toward;
out vec4 pixel;

void main() {
    vec3 ray = normalize(toward - eye.xyz);
    float distance = eye.y / max(-ray.y, 0.005);
    vec3 point = eye.xyz + ray * distance;
    vec2 footprint = fwidth(point.xz);  // before any branch: all pixels must compute this
    if (ray.y > -0.01) {
        pixel = vec4(shown(mix(HORIZON, ZENITH, smoothstep(0.0, 0.55, ray.y))), 1.0);
        return;
    }
#if TERRAIN
    pixel = vec4(shown(HORIZON), 1.0);  // all ground is nearer
#else
    float open = 1.0, sunny = 1.0;
#if NEAR
    for (int i = 0; i < 4; i++) open *= 1.0 - 0.8 * occlusion(point, soles[i]);
    sunny = sunlit_softly(point);
#endif
    vec3 albedo = floor_at(point.xz, footprint);
    vec3 light = albedo * (SKY_LIGHT * open + SUN * sun.y * sunny * mix(open, 1.0, 0.6));
    pixel = vec4(shown(fogged(light, distance)), 1.0);
#endif
}
