/* The functions of string.h that the runtime needs, where there is no C library. */
#ifndef PAGE_STRING_H
#define PAGE_STRING_H

#include <stddef.h>

int memcmp(const void *a, const void *b, size_t count);

#define memcpy __builtin_memcpy /* one instruction of WebAssembly: memory.copy */
#define memset __builtin_memset /* memory.fill */

size_t strlen(const char *text);

#endif
