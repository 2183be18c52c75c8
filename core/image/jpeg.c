/* core/image/jpeg.c - JPEG by libjpeg. Its errors come by longjmp, into read_guarded and no further; what must be
 * released then lies in the decoder's struct, whose address alone crosses the jump. */
#include "image/image_impl.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

/* Scans of a progressive picture: each costs a pass over all coefficients, and a small file can ask for thousands. */
enum { SCANS = 200, MARKER_EXIF = JPEG_APP0 + 1, MARKER_MOST = 0xffff };

typedef struct {
    struct jpeg_error_mgr errors;       /* first: libjpeg hands back its address */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct j;
    jmp_buf escape;
    char why[JMSG_LENGTH_MAX];
    uint8_t *row;                       /* of four channels, where the file has them */
    lop_image *out;
    int *orientation;
    lop_error *err;
    lop_status refused;                 /* a lop_ function failed and filled err */
    bool starved;                       /* libjpeg got no memory: not the file's fault */
} decoder;

static void leave(j_common_ptr j)
{
    decoder *d = (decoder *)(void *)j->err;
    d->starved = j->err->msg_code == JERR_OUT_OF_MEMORY;
    j->err->format_message(j, d->why);
    longjmp(d->escape, 1);
}

/* Warnings: what is odd but harmless passes; those that mean lost pixels end it. */
static void weigh(j_common_ptr j, int level)
{
    const int code = j->err->msg_code;
    if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC ||
                      code == JWRN_ARITH_BAD_CODE)) leave(j);
}

static void be_silent(j_common_ptr j) { (void)j; }

static boolean at_end(j_decompress_ptr j)
{
    decoder *d = (decoder *)(void *)j->err;
    snprintf(d->why, sizeof d->why, "the file is cut off");
    longjmp(d->escape, 1);
}

static void count_scans(j_common_ptr j)
{
    decoder *d = (decoder *)(void *)j->err;
    if (d->j.input_scan_number <= SCANS) return;
    snprintf(d->why, sizeof d->why, "more than %d scans", SCANS);
    longjmp(d->escape, 1);
}

/* The formulas of Pillow's CMYK to RGB for inverted figures: r = c' k' / 255, rounded. */
static void from_inverted_cmyk(const uint8_t *from, int64_t count, uint8_t *to)
{
    for (int64_t i = 0; i < count; i++, from += 4, to += 3)
        for (int k = 0; k < 3; k++) {
            const int ink = 255 - from[k], light = from[3], t = ink * light + 128;
            to[k] = (uint8_t)(light - (((t >> 8) + t) >> 8));
        }
}

static void read_orientation(decoder *d)
{
    for (jpeg_saved_marker_ptr m = d->j.marker_list; m; m = m->next)
        if (m->marker == MARKER_EXIF && m->data_length >= 6 && memcmp(m->data, "Exif\0", 5) == 0) {
            *d->orientation = lop_exif_orientation(m->data, m->data_length);
            return;
        }
}

/* Header read: makes the picture and says what libjpeg is to give. */
static bool prepare(decoder *d)
{
    const bool four = d->j.num_components == 4;
    read_orientation(d);
    d->refused = lop_image_init(d->out, d->j.image_height, d->j.image_width, d->err);
    if (d->refused != LOP_OK) return false;
    d->j.out_color_space = four ? JCS_CMYK : JCS_RGB;
    if (four && !(d->row = lop_array(d->j.image_width, 4, d->err))) d->refused = LOP_E_MEMORY;
    return d->refused == LOP_OK;
}

static void read_rows(decoder *d)
{
    while (d->j.output_scanline < d->j.output_height) {
        uint8_t *to = d->out->pixels + (size_t)d->j.output_scanline * (size_t)d->out->width * 3;
        JSAMPROW row = d->row ? d->row : to;
        if (jpeg_read_scanlines(&d->j, &row, 1) == 1 && d->row) from_inverted_cmyk(d->row, d->out->width, to);
    }
}

/* false: ended by libjpeg (the reason is in d->why) or by one of ours (d->refused). */
static bool read_guarded(decoder *d, const uint8_t *bytes, size_t n)
{
    if (setjmp(d->escape) != 0) return false;
    jpeg_create_decompress(&d->j);
    d->j.progress = &d->progress;
    jpeg_mem_src(&d->j, bytes, (unsigned long)n);
    d->j.src->fill_input_buffer = at_end;
    jpeg_save_markers(&d->j, MARKER_EXIF, MARKER_MOST);
    jpeg_read_header(&d->j, TRUE);
    if (!prepare(d)) return false;
    jpeg_start_decompress(&d->j);
    read_rows(d);
    jpeg_finish_decompress(&d->j);
    return true;
}

lop_status lop_image_jpeg(const uint8_t *bytes, size_t n, lop_image *out, int *orientation, lop_error *err)
{
    decoder d = {.out = out, .orientation = orientation, .err = err};
    d.j.err = jpeg_std_error(&d.errors);
    d.errors.error_exit = leave;
    d.errors.emit_message = weigh;
    d.errors.output_message = be_silent;
    d.progress.progress_monitor = count_scans;
    const bool good = read_guarded(&d, bytes, n);
    jpeg_destroy_decompress(&d.j);
    lop_free(d.row);
    if (good) return LOP_OK;
    if (d.refused != LOP_OK) return d.refused;
    return lop_fail(err, d.starved ? LOP_E_MEMORY : LOP_E_FORMAT, "JPEG: %s", d.why);
}
