/* core/tensor/npz.c - the .npz format: a ZIP archive (PKWARE APPNOTE 6.3) of .npy files. What is read:
 *
 *     per entry   local header (30 bytes, name, extra), then the bytes, stored (0) or deflated (8)
 *     at the end  directory: per entry 46 bytes (method, CRC, sizes, place of the local header), name, extra, comment;
 *                 the end record (22 bytes): number of entries, size and place of the directory
 *
 * A figure of all ones is in the extra field 1, or the end record's in the 64-bit end record. Written are the same,
 * with extra field 1 everywhere as numpy does, dates of 1980-01-01: equal tensors, equal bytes. */
#include "tensor/tensor_impl.h"
#include <stdio.h>
#include <string.h>
#define ZLIB_CONST          /* next_in is const */
#include <zlib.h>

enum { LOCAL = 30, ENTRY = 46, END = 22, END64 = 56, LOCATOR = 20, STORED = 0, DEFLATED = 8, PIECE = 1 << 30 };

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static uint8_t *put(uint8_t *p, int bytes, uint64_t v)
{
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> 8 * i);
    return p + bytes;
}

typedef struct { uint64_t count, at, size; } directory;
typedef struct {
    uint64_t method, crc, packed, size, at;     /* at: first the local header's place, then the bytes' */
    const char *name;                           /* not terminated */
    size_t name_size;
} member;

static lop_status broken(lop_error *err, const char *what)
{
    return lop_fail(err, LOP_E_FORMAT, "npz: %s", what);
}

/* ---- reading ---- */

/* The 64-bit end record stands in for the one at `end` where that is full. */
static lop_status find_wide_end(const lop_file *f, size_t end, directory *d, lop_error *err)
{
    if (end < LOCATOR || get(f->bytes + end - LOCATOR, 4) != 0x07064b50)
        return broken(err, "the 64-bit end record is missing");
    const uint64_t at = get(f->bytes + end - LOCATOR + 8, 8);
    if (f->size < END64 || at > f->size - END64 || get(f->bytes + at, 4) != 0x06064b50)
        return broken(err, "the 64-bit end record is not where it should be");
    *d = (directory){get(f->bytes + at + 32, 8), get(f->bytes + at + 48, 8), get(f->bytes + at + 40, 8)};
    return LOP_OK;
}

/* The end record, with its comment within the file. */
static bool ends_at(const lop_file *f, size_t at)
{
    return get(f->bytes + at, 4) == 0x06054b50 && get(f->bytes + at + 20, 2) <= f->size - END - at;
}

static lop_status find_directory(const lop_file *f, directory *d, lop_error *err)
{
    const size_t last = f->size < END ? 0 : f->size - END, first = last > 65535 ? last - 65535 : 0;
    size_t end = last;
    while (end > first && !ends_at(f, end)) end--;
    if (f->size < END || !ends_at(f, end))
        return broken(err, "no end record: not an .npz file, or cut off");
    const uint8_t *p = f->bytes + end;
    *d = (directory){get(p + 10, 2), get(p + 16, 4), get(p + 12, 4)};
    lop_status st = LOP_OK;
    if (d->count == 0xFFFF || d->at == 0xFFFFFFFF || d->size == 0xFFFFFFFF) st = find_wide_end(f, end, d, err);
    if (st != LOP_OK) return st;
    if (d->at > f->size || d->size > f->size - d->at || d->count > d->size / ENTRY)
        return broken(err, "the directory reaches past the file's end");
    return LOP_OK;
}

/* Figures that do not fit 32 bits are in extra field 1, in this order, those only. */
static void read_wide(const uint8_t *extra, size_t size, member *m)
{
    while (size >= 4) {
        const size_t id = (size_t)get(extra, 2), n = (size_t)get(extra + 2, 2);
        if (n > size - 4) return;
        if (id == 1) {
            uint64_t *const figures[3] = {&m->size, &m->packed, &m->at};
            const uint8_t *p = extra + 4, *const past = p + n;
            for (int i = 0; i < 3; i++)
                if (*figures[i] == 0xFFFFFFFF && past - p >= 8) {
                    *figures[i] = get(p, 8);
                    p += 8;
                }
            return;
        }
        extra += 4 + n;
        size -= 4 + n;
    }
}

/* The directory's entry at *at, which moves behind it; m->at becomes the place of the bytes, all in the file. */
static lop_status read_member(const lop_file *f, size_t *at, size_t end, member *m, lop_error *err)
{
    const uint8_t *p = f->bytes + *at;
    if (end - *at < ENTRY || get(p, 4) != 0x02014b50) return broken(err, "the directory is broken");
    *m = (member){get(p + 10, 2), get(p + 16, 4), get(p + 20, 4), get(p + 24, 4), get(p + 42, 4),
                  (const char *)p + ENTRY, (size_t)get(p + 28, 2)};
    const size_t extra = (size_t)get(p + 30, 2), length = ENTRY + m->name_size + extra + (size_t)get(p + 32, 2);
    if (length > end - *at) return broken(err, "the directory is broken");
    read_wide(p + ENTRY + m->name_size, extra, m);
    *at += length;
    if (get(p + 8, 2) & 1) return lop_fail(err, LOP_E_UNSUPPORTED, "npz: encrypted");
    if (f->size < LOCAL || m->at > f->size - LOCAL || get(f->bytes + m->at, 4) != 0x04034b50)
        return broken(err, "an entry is not where the directory says");
    m->at += LOCAL + get(f->bytes + m->at + 26, 2) + get(f->bytes + m->at + 28, 2);
    if (m->at > f->size || m->packed > f->size - m->at) return broken(err, "an entry reaches past the file's end");
    return LOP_OK;
}

/* The bytes of m into `to`, of m->size; false unless they are just that many. */
static bool inflate_all(const uint8_t *from, const member *m, uint8_t *to)
{
    z_stream z = {0};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
    uint64_t in = m->packed, out = m->size;
    int code = Z_OK;
    z.next_in = from;
    z.next_out = to;
    while (code == Z_OK) {
        const uInt give = in < PIECE ? (uInt)in : PIECE, room = out < PIECE ? (uInt)out : PIECE;
        z.avail_in = give;
        z.avail_out = room;
        code = inflate(&z, Z_NO_FLUSH);
        in -= give - z.avail_in;
        out -= room - z.avail_out;
    }
    inflateEnd(&z);
    return code == Z_STREAM_END && out == 0;
}

static lop_status check_and_parse(const uint8_t *bytes, const member *m, lop_tensor *out, lop_error *err)
{
    if (crc32_z(0, bytes, (z_size_t)m->size) != m->crc)
        return broken(err, "wrong checksum (CRC-32): the file is damaged");
    return lop_npy_parse(bytes, (size_t)m->size, out, err);
}

static lop_status read_tensor(const lop_file *f, const member *m, lop_tensor *out, lop_error *err)
{
    const uint8_t *bytes = f->bytes + m->at;
    if (m->method == STORED)
        return m->size == m->packed ? check_and_parse(bytes, m, out, err) : broken(err, "stored in two sizes");
    if (m->method != DEFLATED)
        return lop_fail(err, LOP_E_UNSUPPORTED, "npz: compression %d: numpy.savez_compressed uses 8", (int)m->method);
    /* Deflate shrinks by 1032 at most: more is a lie, refused before memory is asked for. */
    if (m->size / 1032 > m->packed) return broken(err, "more bytes declared than it can hold");
    uint8_t *block = lop_array((int64_t)m->size, 1, err);
    if (!block) return LOP_E_MEMORY;
    const lop_status st = inflate_all(bytes, m, block) ? check_and_parse(block, m, out, err)
                                                       : broken(err, "cannot be inflated");
    lop_free(block);
    return st;
}

static lop_status read_entry(const lop_file *f, const member *m, lop_npz *out, lop_error *err)
{
    if (m->name_size < 4 || memcmp(m->name + m->name_size - 4, ".npy", 4) != 0) return LOP_OK;  /* no array */
    lop_npz_entry *e = &out->entry[out->count];
    e->name = lop_string_n(m->name, m->name_size - 4, err);
    if (!e->name) return LOP_E_MEMORY;
    out->count++;
    const lop_status st = read_tensor(f, m, &e->tensor, err);
    if (st != LOP_OK) lop_error_at(err, "'%s'", e->name);
    return st;
}

static lop_status read_all(const lop_file *f, lop_npz *out, lop_error *err)
{
    directory d = {0};
    lop_status st = find_directory(f, &d, err);
    if (st != LOP_OK) return st;
    out->entry = lop_array((int64_t)d.count, sizeof *out->entry, err);
    if (!out->entry) return LOP_E_MEMORY;
    size_t at = (size_t)d.at, left = f->size;
    for (uint64_t k = 0; st == LOP_OK && k < d.count; k++) {
        member m = {0};
        st = read_member(f, &at, (size_t)(d.at + d.size), &m, err);
        /* Entries over the same bytes would multiply the memory needed. */
        if (st == LOP_OK && m.packed > left) st = broken(err, "entries overlap");
        left -= st == LOP_OK ? (size_t)m.packed : 0;
        if (st == LOP_OK) st = read_entry(f, &m, out, err);
    }
    return st;
}

lop_status lop_npz_load(const char *path, lop_npz *out, lop_error *err)
{
    lop_file file;
    *out = (lop_npz){0};
    lop_status st = lop_file_open(path, &file, err);
    if (st != LOP_OK) return st;
    st = read_all(&file, out, err);
    if (st != LOP_OK) {
        lop_error_at(err, "%s", path);
        lop_npz_clear(out);
    }
    lop_file_close(&file);
    return st;
}

/* ---- writing ---- */

/* m->packed bytes of header and data at *out, which is the caller's to free. */
static lop_status deflate_all(const char *header, size_t length, const lop_tensor *t, member *m, uint8_t **out,
                              lop_error *err)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return lop_fail(err, LOP_E_MEMORY, "no memory to compress in");
    const size_t most = deflateBound(&z, (uLong)m->size), bytes = lop_tensor_bytes(t);
    *out = lop_array((int64_t)most, 1, err);
    z.next_in = (const Bytef *)header;
    z.avail_in = (uInt)length;
    z.next_out = *out;
    int code = *out ? Z_OK : Z_MEM_ERROR;
    for (size_t taken = 0; code == Z_OK;) {
        if (z.avail_in == 0) {
            z.next_in = (const Bytef *)t->data + taken;
            z.avail_in = bytes - taken < PIECE ? (uInt)(bytes - taken) : PIECE;
            taken += z.avail_in;
        }
        z.avail_out = most - z.total_out < PIECE ? (uInt)(most - z.total_out) : PIECE;
        code = deflate(&z, taken == bytes ? Z_FINISH : Z_NO_FLUSH);
    }
    m->packed = z.total_out;
    deflateEnd(&z);
    if (code == Z_STREAM_END) return LOP_OK;
    return *out ? lop_fail(err, LOP_E_MEMORY, "no memory to compress in") : LOP_E_MEMORY;
}

/* What the local header and the directory's entry have in common, from "version needed" on; returns what is behind. */
static uint8_t *put_common(uint8_t *p, const member *m, int extra)
{
    p = put(p, 2, 45);                          /* version 4.5: 64-bit figures */
    p = put(p, 2, 0x800);                       /* the name is UTF-8 */
    p = put(p, 2, m->method);
    p = put(p, 4, 0x00210000);                  /* 1980-01-01, 00:00 */
    p = put(p, 4, m->crc);
    p = put(put(p, 4, 0xFFFFFFFF), 4, 0xFFFFFFFF);
    p = put(p, 2, m->name_size + 4);
    return put(p, 2, (uint64_t)extra);
}

static lop_status write_named(lop_writer *w, const uint8_t *head, size_t n, const member *m, const uint8_t *extra,
                              size_t size, lop_error *err)
{
    lop_status st = lop_writer_write(w, head, n, err);
    if (st == LOP_OK) st = lop_writer_write(w, m->name, m->name_size, err);
    if (st == LOP_OK) st = lop_writer_write(w, ".npy", 4, err);
    return st == LOP_OK ? lop_writer_write(w, extra, size, err) : st;
}

static lop_status write_local(lop_writer *w, const member *m, lop_error *err)
{
    uint8_t head[LOCAL], extra[20];
    put_common(put(head, 4, 0x04034b50), m, sizeof extra);
    put(put(put(put(extra, 2, 1), 2, 16), 8, m->size), 8, m->packed);
    return write_named(w, head, sizeof head, m, extra, sizeof extra, err);
}

static lop_status write_directory_entry(lop_writer *w, const member *m, lop_error *err)
{
    uint8_t head[ENTRY], extra[28];
    uint8_t *p = put_common(put(put(head, 4, 0x02014b50), 2, 45), m, sizeof extra);
    put(put(put(p, 6, 0), 4, 0), 4, 0xFFFFFFFF);                /* comment, disk, attributes: none; the place */
    put(put(put(put(put(extra, 2, 1), 2, 24), 8, m->size), 8, m->packed), 8, m->at);
    return write_named(w, head, sizeof head, m, extra, sizeof extra, err);
}

static lop_status write_end(lop_writer *w, const directory *d, lop_error *err)
{
    uint8_t end[END64 + LOCATOR + END] = {0};
    uint8_t *p = put(put(put(put(end, 4, 0x06064b50), 8, END64 - 12), 2, 45), 2, 45);
    p = put(put(p, 8, 0), 8, d->count);                         /* disks: one */
    p = put(put(put(p, 8, d->count), 8, d->size), 8, d->at);
    p = put(put(put(put(p, 4, 0x07064b50), 4, 0), 8, d->at + d->size), 4, 1);
    p = put(put(p, 4, 0x06054b50), 4, 0);
    p = put(put(p, 2, d->count < 0xFFFF ? d->count : 0xFFFF), 2, d->count < 0xFFFF ? d->count : 0xFFFF);
    put(put(p, 4, d->size < 0xFFFFFFFF ? d->size : 0xFFFFFFFF), 4, d->at < 0xFFFFFFFF ? d->at : 0xFFFFFFFF);
    return lop_writer_write(w, end, sizeof end, err);
}

/* Local header and bytes of e; m is filled for the directory. */
static lop_status write_entry(lop_writer *w, const lop_npz_entry *e, bool pack, member *m, lop_error *err)
{
    char header[LOP_NPY_HEADER];
    size_t length = 0;
    uint8_t *packed = NULL;
    const lop_tensor *t = &e->tensor;
    const size_t bytes = lop_tensor_bytes(t);
    lop_status st = lop_npy_header(t, header, &length, err);
    m->name = e->name;
    m->name_size = strlen(e->name);
    if (st != LOP_OK) return st;
    m->method = pack ? DEFLATED : STORED;
    m->size = m->packed = length + bytes;
    m->crc = crc32_z(0, (const Bytef *)header, length);
    if (bytes > 0) m->crc = crc32_z((uLong)m->crc, t->data, bytes);
    if (pack) st = deflate_all(header, length, t, m, &packed, err);
    if (st == LOP_OK) st = write_local(w, m, err);
    if (st == LOP_OK && pack) st = lop_writer_write(w, packed, (size_t)m->packed, err);
    if (st == LOP_OK && !pack) st = lop_writer_write(w, header, length, err);
    if (st == LOP_OK && !pack) st = lop_writer_write(w, t->data, bytes, err);
    lop_free(packed);
    return st;
}

static lop_status write_all(lop_writer *w, const lop_npz *z, bool pack, member *list, lop_error *err)
{
    directory d = {(uint64_t)z->count, 0, 0};
    lop_status st = LOP_OK;
    for (int64_t k = 0; st == LOP_OK && k < z->count; k++) {
        list[k].at = d.at;
        st = write_entry(w, &z->entry[k], pack, &list[k], err);
        d.at += LOCAL + list[k].name_size + 4 + 20 + list[k].packed;
    }
    for (int64_t k = 0; st == LOP_OK && k < z->count; k++) {
        st = write_directory_entry(w, &list[k], err);
        d.size += ENTRY + list[k].name_size + 4 + 28;
    }
    return st == LOP_OK ? write_end(w, &d, err) : st;
}

/* All that can be said before the file is begun. */
static lop_status check_entries(const char *path, const lop_npz *z, lop_error *err)
{
    lop_status st = LOP_OK;
    for (int64_t k = 0; st == LOP_OK && k < z->count; k++) {
        char header[LOP_NPY_HEADER];
        size_t length;
        st = lop_npy_header(&z->entry[k].tensor, header, &length, err);
        if (st == LOP_OK && strlen(z->entry[k].name) > 60000)
            st = lop_fail(err, LOP_E_ARG, "a name has 60000 bytes at most");
        if (st != LOP_OK) lop_error_at(err, "%s: '%.80s'", path, z->entry[k].name);
    }
    return st;
}

lop_status lop_npz_save(const char *path, const lop_npz *z, bool deflate, lop_error *err)
{
    lop_writer *w = NULL;
    member *list = NULL;
    lop_status st = check_entries(path, z, err);
    if (st == LOP_OK) st = lop_writer_open(path, &w, err);
    if (st == LOP_OK && !(list = lop_array(z->count, sizeof *list, err))) st = LOP_E_MEMORY;
    if (st == LOP_OK) st = write_all(w, z, deflate, list, err);
    lop_free(list);
    if (st == LOP_OK) return lop_writer_commit(w, err);
    lop_writer_abandon(w);
    return st;
}

/* ---- entries ---- */

const lop_tensor *lop_npz_find(const lop_npz *z, const char *name)
{
    for (int64_t k = 0; k < z->count; k++)
        if (strcmp(z->entry[k].name, name) == 0) return &z->entry[k].tensor;
    return NULL;
}

void lop_npz_clear(lop_npz *z)
{
    for (int64_t k = 0; k < z->count; k++) {
        lop_free(z->entry[k].name);
        lop_tensor_clear(&z->entry[k].tensor);
    }
    lop_free(z->entry);
    *z = (lop_npz){0};
}
