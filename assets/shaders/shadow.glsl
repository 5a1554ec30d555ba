// The part of the sun's light that reaches a point: 0 in full shadow, 1 in full light.

uniform sampler2DShadow shadow_map;

float sunlit(vec3 point, float blur) {
    vec3 at = (sunlight * vec4(point, 1.0)).xyz;
    float light = 0.0;
    for (int y = -REACH; y <= REACH; y++)
        for (int x = -REACH; x <= REACH; x++)
            light += texture(shadow_map, vec3(at.xy + vec2(x, y) * blur, at.z));
    return light / float((2 * REACH + 1) * (2 * REACH + 1));
}

// The same of the ground. The sun is a disc: the farther a point lies from the one that casts the
// shadow, the higher is what shades it, and the softer the edge. Nine samples tell where there is an
// edge at all; only there all are taken, on a spiral that spreads them evenly (Vogel 1979).
float sunlit_softly(vec3 point) {
    vec3 at = (sunlight * vec4(point, 1.0)).xyz;
    vec2 away = vec2(point.x - shaded[1].w, point.z - shaded[2].w);
    float blur = GROUND_BLUR * clamp(0.6 + 1.9 * length(away), 0.6, 4.0);
    float light = 0.0;
    for (int y = -1; y <= 1; y++)
        for (int x = -1; x <= 1; x++)
            light += texture(shadow_map, vec3(at.xy + vec2(x, y) * blur * 0.8, at.z));
    light /= 9.0;
    int more = light > 0.001 && light < 0.999 ? DISC : 0;
    float sum = 0.0;
    for (int i = 0; i < more; i++) {
        float turn = 2.3999632 * float(i), far = sqrt((float(i) + 0.5) / float(DISC));
        sum += texture(shadow_map, vec3(at.xy + far * blur * vec2(cos(turn), sin(turn)), at.z));
    }
    return more > 0 ? sum / float(DISC) : light;
}
