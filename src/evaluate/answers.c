#include "evaluate/answers.h"

#include "base/csv.h"
#include "base/file.h"
#include "data/npy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_CELL = 64, LONGEST_ID = 32 };

/* ---- CSV ---- */

/* From the header: 1 for id,class; as many as there are classes for logits. */
static tc_status count_columns(tc_csv *csv, const tc_questions *q, int *columns, tc_error *error) {
    if (!tc_csv_row(csv))
        return tc_raise(error, TC_INVALID, "%s: is empty; write id,class and one row an id", csv->path);
    const char *first = tc_csv_cell(csv);
    const bool named = first && !strcmp(first, "id");
    for (*columns = 0; tc_csv_cell(csv);) ++*columns;
    if (named && (*columns == 1 || *columns == q->classes)) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "%s:%zu: the first row does not name the columns; write id,class or id and one logit for each of "
                    "%d classes",
                    csv->path, csv->line, q->classes);
}

static tc_status read_class(tc_csv *csv, int classes, int32_t *answer, tc_error *error) {
    int64_t class = 0;
    const tc_status status = tc_csv_int(csv, tc_csv_cell(csv), "class", 0, classes - 1, &class, error);
    *answer = (int32_t) class;
    return status;
}

static tc_status read_logits(tc_csv *csv, int classes, int32_t *answer, tc_error *error) {
    double best = -INFINITY;
    for (int c = 0; c < classes; c++) {
        double logit;
        const tc_status status = tc_csv_real(csv, tc_csv_cell(csv), "a logit", &logit, error);
        if (status != TC_OK) return status;
        if (logit > best) {
            best = logit;
            *answer = c;
        }
    }
    return TC_OK;
}

static tc_status read_row(tc_csv *csv, const tc_questions *q, int columns, bool *seen, int32_t *answer,
                          tc_error *error) {
    tc_status status = TC_OK;
    int64_t id;
    TC_TRY(tc_csv_int(csv, tc_csv_cell(csv), "id", 0, (int64_t)q->count - 1, &id, error));
    if (seen[id])
        TC_RAISE(TC_INVALID, "%s:%zu: id %lld was answered before; answer once", csv->path, csv->line, (long long)id);
    seen[id] = true;
    TC_TRY((columns == 1 ? read_class : read_logits)(csv, q->classes, &answer[id], error));
    if (tc_csv_cell(csv))
        TC_RAISE(TC_INVALID, "%s:%zu: more than %d columns; write what the first row names", csv->path, csv->line,
                 columns + 1);
done:
    return status;
}

static tc_status read_csv(const char *path, const tc_questions *q, int32_t *answer, tc_error *error) {
    tc_status status = TC_OK;
    tc_csv csv = {0};
    bool *seen = NULL;
    int columns = 0;
    size_t rows = 0;
    TC_TRY(tc_csv_open(path, (q->count + 1) * ((size_t)q->classes * LONGEST_CELL + LONGEST_ID), &csv, error));
    TC_TRY(tc_new(&seen, q->count, sizeof *seen, error));
    TC_TRY(count_columns(&csv, q, &columns, error));
    for (; tc_csv_row(&csv); rows++) TC_TRY(read_row(&csv, q, columns, seen, answer, error));
    if (rows == q->count) goto done;
    size_t missing = 0;
    while (seen[missing]) missing++;
    TC_RAISE(TC_INVALID, "%s: %zu answers to %zu questions; id %zu is missing", path, rows, q->count, missing);
done:
    free(seen);
    tc_csv_close(&csv);
    return status;
}

/* ---- NPZ ---- */

static tc_status check_count(const char *path, const char *name, const tc_npy *array, const tc_questions *q,
                             tc_error *error) {
    if (array->shape[0] == q->count) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: '%s' has %zu answers to %zu questions; answer each id", path, name,
                    array->shape[0], q->count);
}

static tc_status take_predictions(const char *path, tc_npy *array, const tc_questions *q, int32_t *answer,
                                  tc_error *error) {
    tc_status status = TC_OK;
    char where[TC_PATH_SIZE];
    if (array->rank != 1) TC_RAISE(TC_INVALID, "%s: 'predictions' has %d dimensions; give one", path, array->rank);
    TC_TRY(check_count(path, "predictions", array, q, error));
    TC_TRY(tc_path_format(where, error, "%s: predictions", path));
    TC_TRY(tc_npy_cast(array, TC_NPY_I64, where, error));
    for (size_t i = 0; i < q->count; i++) {
        const int64_t class = ((const int64_t *)array->data)[i];
        if (class < 0 || class >= q->classes)
            TC_RAISE(TC_INVALID, "%s: the answer to id %zu is %lld; must be 0 … %d", path, i, (long long)class,
                     q->classes - 1);
        answer[i] = (int32_t) class;
    }
done:
    return status;
}

static tc_status take_logits(const char *path, tc_npy *array, const tc_questions *q, int32_t *answer, tc_error *error) {
    tc_status status = TC_OK;
    const size_t classes = (size_t)q->classes;
    if (array->rank != 2 || array->shape[1] != classes)
        TC_RAISE(TC_INVALID, "%s: 'logits' has not one column for each of the %zu classes; reshape it", path, classes);
    if (array->type != TC_NPY_F32 && array->type != TC_NPY_F64)
        TC_RAISE(TC_INVALID, "%s: 'logits' is %s; save it as float32", path, tc_npy_type_name(array->type));
    TC_TRY(check_count(path, "logits", array, q, error));
    TC_TRY(tc_npy_cast(array, TC_NPY_F64, path, error));
    const double *z = array->data;
    for (size_t i = 0; i < q->count; i++, z += classes) {
        answer[i] = 0;
        for (int c = 0; c < q->classes; c++) {
            if (!isfinite(z[c]))
                TC_RAISE(TC_INVALID, "%s: logit %d of id %zu is not finite; train a model that did not diverge", path,
                         c, i);
            if (z[c] > z[answer[i]]) answer[i] = c;
        }
    }
done:
    return status;
}

static tc_status read_npz(const char *path, const tc_questions *q, int32_t *answer, tc_error *error) {
    tc_status status = TC_OK;
    tc_npz *npz = NULL;
    tc_npy *array;
    TC_TRY(tc_new(&npz, 1, sizeof *npz, error));
    TC_TRY(tc_npz_read(path, npz, error));
    const bool predictions = tc_npz_has(npz, "predictions");
    if (predictions == tc_npz_has(npz, "logits"))
        TC_RAISE(TC_INVALID, "%s: must hold either 'predictions' or 'logits'; save one of them", path);
    TC_TRY(tc_npz_want(npz, path, predictions ? "predictions" : "logits", 0, TC_NPY_RANK, &array, error));
    TC_TRY((predictions ? take_predictions : take_logits)(path, array, q, answer, error));
done:
    tc_npz_free(npz);
    return status;
}

/* By the first bytes, not by the name. */
tc_status tc_answers_read(const char *path, const tc_questions *questions, int32_t *answer, tc_error *error) {
    uint8_t head[2] = {0};
    size_t size = 0;
    const tc_status status = tc_file_head_gz(path, head, sizeof head, &size, error);
    if (status != TC_OK) return status;
    const bool zip = size == 2 && !memcmp(head, "PK", 2);
    return (zip ? read_npz : read_csv)(path, questions, answer, error);
}

tc_score tc_answers_score(const tc_questions *q, const int32_t *answer, tc_question_kind kind) {
    tc_score score = {0};
    for (size_t i = 0; i < q->count; i++) {
        if (q->kind[i] != kind) continue;
        score.count++;
        score.hits += answer[i] == (kind == TC_QUESTION_TEST ? q->class[i] : q->intended[i]);
    }
    score.interval = tc_wilson(score.hits, score.count);
    return score;
}
