/* The functions of math.h that the runtime needs, where there is no C library. */
#ifndef PAGE_MATH_H
#define PAGE_MATH_H

float expf(float x);
float tanhf(float x);
float sinf(float x);
float cosf(float x);
float atan2f(float y, float x);
float fmaxf(float a, float b);

#define sqrtf __builtin_sqrtf
#define floorf __builtin_floorf
#define isfinite __builtin_isfinite

#endif
