/* snapshot.c — layout: magic, digest of the run, how many pieces, their sizes, their bytes, digest of all before. */
#include "attack/parts/snapshot.h"

#include "base/file.h"
#include "train/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct header {
    char magic[8];
    char run[TC_DIGEST_TEXT + 7]; /* a multiple of 8 */
    uint64_t pieces;
} header;

static const double looks_apart = 0.5; /* seconds */
static const char magic[8] = {'T', 'C', 'C', 'R', 'A', 'F', 'T', '1'};

/* ---- which run it is ---- */

static void feed(struct sha256_ctx *sum, const void *data, size_t bytes) {
    const uint64_t length = bytes; /* so that what follows cannot slide into it */
    sha256_update(sum, sizeof length, (const uint8_t *)&length);
    sha256_update(sum, bytes, data);
}

static void feed_text(struct sha256_ctx *sum, const char *text) {
    feed(sum, text, strlen(text));
}

static void feed_options(struct sha256_ctx *sum, const tc_option *table, const void *options) {
    for (const tc_option *option = table; option->name; option++) {
        char text[TC_TEXT_SIZE];
        const bool when = table == tc_train_table && option->offset == offsetof(tc_train_options, checkpoint_minutes);
        if (when) continue; /* when to save, not what */
        tc_option_format(option, options, text, sizeof text);
        feed_text(sum, text);
    }
}

static void feed_model(struct sha256_ctx *sum, const tc_model *model) {
    const uint64_t model_sum = tc_model_fingerprint(model);
    feed(sum, &model_sum, sizeof model_sum);
}

static void feed_networks(struct sha256_ctx *sum, const tc_craft_job *job) {
    for (int i = 0; i < job->surrogate_count; i++) {
        const tc_surrogate *s = &job->surrogates[i];
        feed_model(sum, s->model);
        feed(sum, s->weights.theta, tc_model_parameters(s->model) * sizeof *s->weights.theta);
        feed(sum, s->weights.state, tc_model_state(s->model) * sizeof *s->weights.state);
    }
    for (int i = 0; i < job->architecture_count; i++) {
        feed_model(sum, job->architectures[i].model);
        if (job->architectures[i].train) feed_options(sum, tc_train_table, job->architectures[i].train);
    }
}

static void feed_trigger(struct sha256_ctx *sum, const tc_trigger *trigger) {
    const int layout[] = {trigger->rows, trigger->columns, trigger->channels, trigger->place};
    feed(sum, layout, sizeof layout);
    feed(sum, &trigger->opacity, sizeof trigger->opacity);
    feed(sum, &trigger->stream.key, sizeof trigger->stream.key);
    feed(sum, trigger->pattern, (size_t)trigger->rows * (size_t)trigger->columns * (size_t)trigger->channels);
}

static void feed_threat(struct sha256_ctx *sum, const tc_threat *threat) {
    const int kind[] = {threat->goal, threat->target_class, threat->intended_class};
    feed(sum, kind, sizeof kind);
    feed(sum, &threat->epsilon, sizeof threat->epsilon);
    feed(sum, threat->target, threat->targets * sizeof *threat->target);
    feed(sum, threat->base, threat->poisons * sizeof *threat->base);
    if (threat->trigger) feed_trigger(sum, threat->trigger);
}

static void feed_data(struct sha256_ctx *sum, const tc_dataset *data) {
    char contents[TC_DIGEST_TEXT];
    tc_dataset_digest(data, contents);
    feed_text(sum, contents);
    feed(sum, data->mean, sizeof data->mean);
    feed(sum, data->std, sizeof data->std);
}

static void name_run(const tc_craft_job *job, const tc_attack *method, const void *options, tc_snapshot *s) {
    struct sha256_ctx sum;
    sha256_init(&sum);
    const int device[] = {job->device->options.precision, job->device->options.fastest};
    feed_text(&sum, job->device->name);
    feed(&sum, device, sizeof device);
    feed_text(&sum, method->name);
    feed_options(&sum, method->options, options);
    feed(&sum, &job->stream.key, sizeof job->stream.key);
    feed(&sum, &job->stream.position, sizeof job->stream.position);
    feed_data(&sum, job->dataset);
    feed_threat(&sum, job->threat);
    feed_networks(&sum, job);
    tc_digest_text(&sum, s->run);
}

/* ---- making ---- */

tc_status tc_snapshot_create(const tc_craft_job *job, const tc_attack *method, const void *options, int most,
                             tc_snapshot *s, tc_error *error) {
    const double now = tc_clock();
    *s = (tc_snapshot){.job = job,
                       .method = method->name,
                       .device = job->device,
                       .path = job->checkpoint,
                       .minutes = job->checkpoint_minutes,
                       .saved = now,
                       .started = now,
                       .most = most + 1};
    if (!s->path) return TC_OK;
    name_run(job, method, options, s);
    const tc_status status = tc_new(&s->piece, (size_t)s->most, sizeof *s->piece, error);
    if (status == TC_OK) tc_snapshot_host(s, &s->seconds, sizeof s->seconds);
    return status;
}

void tc_snapshot_free(tc_snapshot *snapshot) {
    free(snapshot->piece);
    *snapshot = (tc_snapshot){0};
}

static void add(tc_snapshot *s, tc_piece piece) {
    if (s->path && s->pieces < s->most) s->piece[s->pieces++] = piece;
}

void tc_snapshot_host(tc_snapshot *snapshot, void *at, size_t bytes) {
    add(snapshot, (tc_piece){at, bytes, false});
}

void tc_snapshot_device(tc_snapshot *snapshot, void *at, size_t bytes) {
    add(snapshot, (tc_piece){at, bytes, true});
}

/* ---- writing and reading ---- */

static size_t size_of_file(const tc_snapshot *s) {
    size_t bytes = sizeof(header) + (size_t)s->pieces * sizeof(uint64_t) + TC_DIGEST_TEXT;
    for (int i = 0; i < s->pieces; i++) bytes += s->piece[i].bytes;
    return bytes;
}

/* Header and sizes as this run's file has them; returns what comes behind. */
static uint8_t *lay_head(const tc_snapshot *s, uint8_t *file) {
    header head = {.pieces = (uint64_t)s->pieces};
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.run, s->run, sizeof s->run);
    memcpy(file, &head, sizeof head);
    file += sizeof head;
    for (int i = 0; i < s->pieces; i++, file += sizeof(uint64_t)) {
        const uint64_t bytes = s->piece[i].bytes;
        memcpy(file, &bytes, sizeof bytes);
    }
    return file;
}

static void digest_of(const uint8_t *file, size_t bytes, char text[TC_DIGEST_TEXT]) {
    struct sha256_ctx sum;
    sha256_init(&sum);
    sha256_update(&sum, bytes, file);
    tc_digest_text(&sum, text);
}

bool tc_snapshot_due(const tc_snapshot *s) {
    return s->path && s->minutes > 0 && tc_clock() - s->saved >= 60 * s->minutes;
}

tc_status tc_snapshot_save(tc_snapshot *s, tc_error *error) {
    tc_status status = TC_OK;
    const size_t size = size_of_file(s), summed = size - TC_DIGEST_TEXT;
    uint8_t *file = NULL;
    if (!s->path) return TC_OK;
    s->saved = tc_clock();
    s->seconds = tc_snapshot_seconds(s);
    TC_TRY(tc_new(&file, size, 1, error));
    uint8_t *at = lay_head(s, file);
    for (int i = 0; i < s->pieces; at += s->piece[i++].bytes) {
        const tc_piece *piece = &s->piece[i];
        if (piece->on_device)
            s->device->k->download_bytes(s->device, at, piece->at, piece->bytes);
        else
            memcpy(at, piece->at, piece->bytes);
    }
    TC_TRY(tc_device_health(s->device, error)); /* nobody shall go on from what a failed device left */
    digest_of(file, summed, (char *)file + summed);
    TC_TRY(tc_file_write(s->path, file, size, error));
done:
    free(file);
    return status;
}

/* Without its magic, or cut off, it is damaged; with another head it is another run's. */
static tc_status check(const tc_snapshot *s, const uint8_t *file, size_t size, const uint8_t *expected, size_t head,
                       tc_error *error) {
    char sum[TC_DIGEST_TEXT];
    const size_t summed = size > TC_DIGEST_TEXT ? size - TC_DIGEST_TEXT : 0;
    digest_of(file, summed, sum);
    if (size < head + TC_DIGEST_TEXT || memcmp(file, magic, sizeof magic) || memcmp(file + summed, sum, sizeof sum))
        return tc_raise(error, TC_INVALID, "%s: a damaged snapshot of a crafting; remove it to start anew", s->path);
    if (memcmp(file, expected, head) || size != size_of_file(s))
        return tc_raise(error, TC_INVALID,
                        "%s: a snapshot of another crafting (method, options, data, networks or seed differ); remove "
                        "it or name another file",
                        s->path);
    return TC_OK;
}

static void put_back(const tc_snapshot *s, const uint8_t *at) {
    for (int i = 0; i < s->pieces; at += s->piece[i++].bytes) {
        const tc_piece *piece = &s->piece[i];
        if (piece->on_device)
            s->device->k->upload_bytes(s->device, piece->at, at, piece->bytes);
        else
            memcpy(piece->at, at, piece->bytes);
    }
}

tc_status tc_snapshot_load(tc_snapshot *s, bool *found, tc_error *error) {
    tc_status status = TC_OK;
    uint8_t *file = NULL, *expected = NULL;
    size_t size = 0;
    *found = s->path && tc_file_exists(s->path);
    if (!*found) return TC_OK;
    TC_TRY(tc_new(&expected, size_of_file(s), 1, error));
    const size_t head = (size_t)(lay_head(s, expected) - expected);
    TC_TRY(tc_file_read(s->path, size_of_file(s), &file, &size, error));
    TC_TRY(check(s, file, size, expected, head, error));
    put_back(s, file + head);
    s->before = s->seconds;
done:
    free(file);
    free(expected);
    return status;
}

double tc_snapshot_seconds(const tc_snapshot *s) {
    return s->before + tc_clock() - s->started;
}

/* ---- between two steps ---- */

tc_status tc_craft_stop(tc_snapshot *s, double share, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(tc_snapshot_save(s, error));
    TC_RAISE(TC_INTERRUPTED, "%s: stopped at %.0f %%; %s", s->method, 100 * share,
             s->path ? "run again with the same settings to go on" : "nothing was kept");
done:
    return status;
}

bool tc_craft_looks(tc_snapshot *s) {
    if (!s->device->k->record_begin) return true;
    if (!s->job->progress || tc_clock() - s->looked < looks_apart) return false;
    s->looked = tc_clock();
    return true;
}

tc_status tc_craft_tell(tc_snapshot *s, double share, double objective, tc_error *error) {
    const tc_craft_job *job = s->job;
    if (job->progress) job->progress(job->context, share, objective);
    if (job->stop && job->stop(job->context)) return tc_craft_stop(s, share, error);
    return tc_snapshot_due(s) ? tc_snapshot_save(s, error) : TC_OK;
}

/* ---- what lies beside it, and the end of both ---- */

static const char beside[] = ".training";

tc_status tc_snapshot_training(const tc_snapshot *s, char path[TC_PATH_SIZE], tc_error *error) {
    path[0] = '\0';
    return s->path ? tc_path_format(path, error, "%s%s", s->path, beside) : TC_OK;
}

void tc_craft_forget(const char *checkpoint) {
    char path[TC_PATH_SIZE];
    if (!checkpoint) return;
    unlink(checkpoint);
    if (tc_path_format(path, NULL, "%s%s", checkpoint, beside) == TC_OK) unlink(path);
}
