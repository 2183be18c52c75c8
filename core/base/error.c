/* core/base/error.c - status codes, one-line messages, progress. */
#include "base/base.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts a text that vsnprintf shortened at a whole UTF-8 character, and takes line breaks out of it. */
static void tidy(char *text, size_t size)
{
    size_t n = strlen(text);
    if (n == size - 1) {
        while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80) n--;
        if (n > 0 && ((unsigned char)text[n - 1] & 0x80)) n--;
        text[n] = '\0';
    }
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r') *p = ' ';
}

lop_status lop_fail(lop_error *err, lop_status code, const char *format, ...)
{
    if (!err) return code;
    va_list args;
    va_start(args, format);
    err->code = code;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    tidy(err->message, sizeof err->message);
    return code;
}

lop_status lop_error_at(lop_error *err, const char *format, ...)
{
    if (!err) return LOP_E_ARG;
    char prefix[sizeof err->message], old[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(old, err->message, sizeof old);
    const size_t n = strlen(prefix);
    snprintf(err->message, sizeof err->message, "%s", prefix);
    if (n + 3 < sizeof err->message) {
        memcpy(err->message + n, ": ", 3);
        strncat(err->message, old, sizeof err->message - n - 3);
    }
    tidy(err->message, sizeof err->message);
    return err->code;
}

const char *lop_status_name(lop_status code)
{
    static const char *const names[] = {"ok", "arg", "shape", "format", "io", "memory", "numeric", "unsupported",
                                        "notfound", "interrupted"};
    return (size_t)code < sizeof names / sizeof *names ? names[code] : "unknown";
}

lop_status lop_progress_step(const lop_progress *p, const char *what, int64_t done, int64_t total, lop_error *err)
{
    if (!p || !p->step || p->step(p->context, what, done, total) == 0) return LOP_OK;
    return lop_fail(err, LOP_E_INTERRUPTED, "%s: interrupted at %" PRId64 " of %" PRId64, what, done, total);
}
