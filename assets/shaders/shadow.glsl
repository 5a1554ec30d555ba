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
