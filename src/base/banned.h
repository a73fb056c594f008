/* Included by every .c file through the compiler's command line: functions that must not be used. */
#ifndef GK_BASE_BANNED_H
#define GK_BASE_BANNED_H

#include <stdio.h>
#include <string.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#define strcpy(a, b)         gk_banned_strcpy_use_buf_or_arena
#define strcat(a, b)         gk_banned_strcat_use_buf
#define strncpy(a, b, n)     gk_banned_strncpy_use_snprintf
#define strncat(a, b, n)     gk_banned_strncat_use_buf
#define sprintf(...)         gk_banned_sprintf_use_snprintf
#define vsprintf(...)        gk_banned_vsprintf_use_vsnprintf

#endif
