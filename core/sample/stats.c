/* core/sample/stats.c - the sums G, B, s. Rows are converted to float64 a block at a time (a product of two float32 is
 * then exact) and summed by tiles of G and B: a tile belongs to one worker and takes its row blocks in order, so the
 * bytes do not depend on the team. */
#include "sample/sample_impl.h"
#include "linalg/linalg.h"

enum { TILE = 128, CHECK_ROWS = 64 };

lop_status lop_stats_new(int64_t c, int64_t taps, int64_t n, lop_stats **out, lop_error *err)
{
    return lop_stats_new_rows(c, taps, n, 0, 0, true, out, err);
}

static bool sums_init(lop_stats *s, lop_error *err)
{
    s->gram = lop_array(s->p + 1, (size_t)(s->p + 1) * sizeof(double), err);
    if (s->gram) s->cross = lop_array(s->p + 1, (size_t)s->n * sizeof(double), err);
    if (s->cross) s->energy = lop_array(s->n, sizeof(double), err);
    if (s->energy) s->nonzero = lop_array(s->p, sizeof(double), err);
    return s->nonzero != NULL;
}

lop_status lop_stats_new_rows(int64_t c, int64_t taps, int64_t n, int64_t limit, uint64_t seed, bool summed,
                              lop_stats **out, lop_error *err)
{
    *out = NULL;
    /* A dimension must fit BLAS's int, so that no tile's product can be refused; then no product of two of them leaves
     * an int64_t. */
    if (c < 1 || taps < 1 || n < 1 || c > INT32_MAX / taps - 1 || n > INT32_MAX)
        return lop_fail(err, LOP_E_ARG, "statistics of %" PRId64 " channels, %" PRId64 " taps, %" PRId64
                        " filters: each at least 1, channels * taps and filters below 2^31", c, taps, n);
    if (limit < (summed ? 0 : 1) || limit > INT32_MAX)
        return lop_fail(err, LOP_E_ARG, "%" PRId64 " rows to keep: %d to %d expected", limit, summed ? 0 : 1,
                        INT32_MAX);
    lop_stats *s = lop_array(1, sizeof *s, err);
    if (!s) return LOP_E_MEMORY;
    *s = (lop_stats){.c = c, .taps = taps, .n = n, .p = c * taps, .summed = summed, .limit = limit, .seed = seed};
    if (summed && !sums_init(s, err)) {
        lop_stats_free(s);
        return LOP_E_MEMORY;
    }
    *out = s;
    return LOP_OK;
}

void lop_stats_free(lop_stats *s)
{
    if (!s) return;
    lop_free(s->gram);
    lop_free(s->cross);
    lop_free(s->energy);
    lop_free(s->nonzero);
    lop_free(s->block);
    lop_free(s->x);
    lop_free(s->y);
    lop_free(s);
}

int64_t lop_stats_channels(const lop_stats *s) { return s->c; }
int64_t lop_stats_taps(const lop_stats *s) { return s->taps; }
int64_t lop_stats_filters(const lop_stats *s) { return s->n; }
double lop_stats_rows(const lop_stats *s) { return s->summed ? s->rows : (double)s->kept; }
bool lop_stats_summed(const lop_stats *s) { return s->summed; }
int64_t lop_stats_kept(const lop_stats *s) { return s->kept; }
const float *lop_stats_kept_x(const lop_stats *s) { return s->x; }
const float *lop_stats_kept_y(const lop_stats *s) { return s->y; }
const double *lop_stats_cross(const lop_stats *s) { return s->cross; }
const double *lop_stats_energy(const lop_stats *s) { return s->energy; }
const double *lop_stats_nonzero(const lop_stats *s) { return s->nonzero; }

const double *lop_stats_gram(lop_stats *s)
{
    const int64_t m = s->p + 1;
    enum { SIDE = 32 };                 /* a square at a time: writing down whole columns would miss the cache */
    for (int64_t ti = 0; s->half && ti < m; ti += SIDE)
        for (int64_t tj = ti; tj < m; tj += SIDE)
            for (int64_t i = ti; i < m && i < ti + SIDE; i++)
                for (int64_t j = tj > i ? tj : i + 1; j < m && j < tj + SIDE; j++)
                    s->gram[j * m + i] = s->gram[i * m + j];
    s->half = false;
    return s->gram;
}

/* ---- adding rows ---- */

typedef struct {
    lop_stats *s;
    const float *x, *y;                 /* the rows to check or to convert */
    int64_t rows;
    double *X, *Y;                      /* the block converted: (rows, p), (rows, n) */
    int64_t *bad;                       /* of each group of CHECK_ROWS rows the first that is not finite, or -1 */
    int64_t across, down;               /* tiles along p and along n */
} adding;

static bool finite_row(const float *row, int64_t count)
{
    float sum = 0.0f;                   /* x * 0 is NaN exactly for NaN and the infinities, and NaN stays */
    for (int64_t i = 0; i < count; i++) sum += row[i] * 0.0f;
    return sum == 0.0f;
}

static void check_rows(void *context, int64_t chunk, int worker)
{
    (void)worker;
    const adding *a = context;
    const int64_t end = (chunk + 1) * CHECK_ROWS < a->rows ? (chunk + 1) * CHECK_ROWS : a->rows;
    a->bad[chunk] = -1;
    for (int64_t r = chunk * CHECK_ROWS; r < end && a->bad[chunk] < 0; r++)
        if (!finite_row(a->x + r * a->s->p, a->s->p) || !finite_row(a->y + r * a->s->n, a->s->n)) a->bad[chunk] = r;
}

static lop_status check_all(adding *a, lop_team *team, lop_error *err)
{
    const int64_t chunks = (a->rows + CHECK_ROWS - 1) / CHECK_ROWS;
    a->bad = lop_array(chunks, sizeof *a->bad, err);
    if (!a->bad) return LOP_E_MEMORY;
    lop_team_run(team, chunks, check_rows, a);
    int64_t bad = -1;
    for (int64_t k = 0; bad < 0 && k < chunks; k++) bad = a->bad[k];
    lop_free(a->bad);
    return bad < 0 ? LOP_OK : lop_fail(err, LOP_E_NUMERIC, "row #%" PRId64 " holds a NaN or an infinity", bad);
}

static void convert_rows(void *context, int64_t chunk, int worker)
{
    (void)worker;
    const adding *a = context;
    const int64_t p = a->s->p, n = a->s->n, first = chunk * CHECK_ROWS;
    const int64_t count = first + CHECK_ROWS < a->rows ? CHECK_ROWS : a->rows - first;
    for (int64_t i = first * p; i < (first + count) * p; i++) a->X[i] = a->x[i];
    for (int64_t i = first * n; i < (first + count) * n; i++) a->Y[i] = a->y[i];
}

static int64_t part(int64_t tile, int64_t size) { return (tile + 1) * TILE < size ? TILE : size - tile * TILE; }

static void gram_tile(const adding *a, int64_t ti, int64_t tj)
{
    const int64_t p = a->s->p, m = p + 1, i = ti * TILE, j = tj * TILE;
    double *G = a->s->gram + i * m + j;
    const int64_t high = part(ti, p);
    if (ti != tj) {
        lop_gemm(true, false, high, part(tj, p), a->rows, 1.0, a->X + i, p, a->X + j, p, 1.0, G, m, NULL);
        return;
    }
    lop_syrk(true, high, a->rows, 1.0, a->X + i, p, 1.0, G, m, NULL);
    for (int64_t r = 0; r < a->rows; r++)
        for (int64_t k = i; k < i + high; k++) {
            a->s->gram[k * m + p] += a->X[r * p + k];           /* the column of the constant 1 */
            a->s->nonzero[k] += a->X[r * p + k] != 0.0;
        }
}

static void cross_tile(const adding *a, int64_t ti, int64_t tj)
{
    const int64_t p = a->s->p, n = a->s->n, i = ti * TILE, j = tj * TILE;
    const int64_t wide = part(tj, n);
    lop_gemm(true, false, part(ti, p), wide, a->rows, 1.0, a->X + i, p, a->Y + j, n, 1.0, a->s->cross + i * n + j, n,
             NULL);
    for (int64_t r = 0; ti == 0 && r < a->rows; r++)
        for (int64_t k = j; k < j + wide; k++) {
            const double y = a->Y[r * n + k];
            a->s->cross[p * n + k] += y;
            a->s->energy[k] += y * y;
        }
}

/* Tiles in the order G(0,0), G(0,1) ..., B(0,0), G(1,1), ...: row ti of tiles has across - ti of G and down of B. */
static void add_tile(void *context, int64_t chunk, int worker)
{
    (void)worker;
    const adding *a = context;
    int64_t ti = 0;
    for (; chunk >= a->across - ti + a->down; ti++) chunk -= a->across - ti + a->down;
    if (chunk < a->across - ti) gram_tile(a, ti, ti + chunk);
    else cross_tile(a, ti, chunk - (a->across - ti));
}

lop_status lop_stats_add(lop_stats *s, const float *x, const float *y, int64_t rows, lop_team *team, lop_error *err)
{
    if (rows < 0) return lop_fail(err, LOP_E_ARG, "%" PRId64 " rows: 0 or more expected", rows);
    adding a = {.s = s, .x = x, .y = y, .rows = rows};
    a.across = (s->p + TILE - 1) / TILE;
    a.down = (s->n + TILE - 1) / TILE;
    lop_status st = check_all(&a, team, err);
    if (st == LOP_OK && s->limit > 0) st = lop_stats_keep(s, x, y, rows, err);
    if (st != LOP_OK || !s->summed) return st;
    if (!s->block) s->block = lop_array(LOP_STATS_BLOCK, (size_t)(s->p + s->n) * sizeof(double), err);
    if (!s->block) return LOP_E_MEMORY;
    a.X = s->block;
    a.Y = s->block + LOP_STATS_BLOCK * s->p;
    for (int64_t done = 0; done < rows; done += a.rows) {
        a.rows = rows - done < LOP_STATS_BLOCK ? rows - done : LOP_STATS_BLOCK;
        a.x = x + done * s->p;
        a.y = y + done * s->n;
        lop_team_run(team, (a.rows + CHECK_ROWS - 1) / CHECK_ROWS, convert_rows, &a);
        lop_team_run(team, a.across * (a.across + 1) / 2 + a.across * a.down, add_tile, &a);
    }
    s->rows += (double)rows;
    s->gram[(s->p + 1) * (s->p + 1) - 1] = s->rows;
    s->half = true;
    return LOP_OK;
}

lop_status lop_stats_merge(lop_stats *s, const lop_stats *other, lop_error *err)
{
    if (s->c != other->c || s->taps != other->taps || s->n != other->n)
        return lop_fail(err, LOP_E_SHAPE,
                        "statistics of %" PRId64 "x%" PRId64 "x%" PRId64 " and of %" PRId64 "x%" PRId64 "x%" PRId64
                        " (channels x taps x filters) do not add",
                        s->c, s->taps, s->n, other->c, other->taps, other->n);
    if (s->summed != other->summed)
        return lop_fail(err, LOP_E_ARG, "statistics that keep rows in place of sums add to their like alone");
    if (s->limit > 0 && other->kept > 0) {
        const lop_status st = lop_stats_keep(s, other->x, other->y, other->kept, err);
        if (st != LOP_OK) return st;
    }
    if (!s->summed) return LOP_OK;
    const int64_t m = s->p + 1;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = i; j < m; j++) s->gram[i * m + j] += other->gram[i * m + j];
    for (int64_t i = 0; i < m * s->n; i++) s->cross[i] += other->cross[i];
    for (int64_t i = 0; i < s->n; i++) s->energy[i] += other->energy[i];
    for (int64_t i = 0; i < s->p; i++) s->nonzero[i] += other->nonzero[i];
    s->rows += other->rows;
    s->half = true;
    return LOP_OK;
}
