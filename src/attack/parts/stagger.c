#include "attack/parts/stagger.h"

#include <stdlib.h>

static const tc_architecture *architecture_of(const tc_stagger *s, const tc_apprentice *a) {
    return &s->job->architectures[a->architecture];
}

static tc_stream stream_of(const tc_stagger *s, const tc_apprentice *a) {
    const tc_stream own = tc_stream_child(s->job->stream, "apprentice", (uint64_t)(a - s->model));
    return tc_stream_child(own, "generation", a->generation);
}

double tc_stagger_rate(const tc_stagger *s, int m) {
    const tc_apprentice *a = &s->model[m];
    const tc_schedule *schedule = &s->schedule[a->architecture];
    /* In the middle of the epoch, so that no warm-up starts at zero; the last one's beyond the schedule's end. */
    const double middle = (double)a->age + 0.5, last = schedule->epochs - 0.5;
    return tc_schedule_rate(schedule, middle < last ? middle : last);
}

static tc_status train_an_epoch(tc_stagger *s, int m, tc_error *error) {
    enum { CONSTANT = 0 };
    tc_apprentice *a = &s->model[m];
    const tc_architecture *own = architecture_of(s, a);
    const tc_train_hooks hooks = {.stop = s->job->stop, .context = s->job->context};
    tc_train_options options = *own->train;
    options.epochs = 1;
    options.schedule = CONSTANT;
    options.warmup = 0;
    options.rate = tc_stagger_rate(s, m);
    const tc_stream stream = tc_stream_child(stream_of(s, a), "epoch", (uint64_t)a->age);
    const tc_status status =
        tc_train(s->job->device, own->model, &s->view, &options, stream, &hooks, &a->weights, NULL, error);
    if (status == TC_OK) a->age++;
    return status;
}

static void renew(tc_stagger *s, int m) {
    tc_apprentice *a = &s->model[m];
    tc_model_init(architecture_of(s, a)->model, tc_stream_child(stream_of(s, a), "init", 0), a->weights.theta,
                  a->weights.state);
    a->age = 0;
}

int64_t tc_stagger_generations(const tc_stagger *s) {
    int64_t begun = 0;
    for (int m = 0; m < s->count; m++) begun += (int64_t)s->model[m].generation + (s->model[m].age > 0);
    return begun;
}

void tc_stagger_keep(tc_stagger *s, tc_snapshot *snapshot) {
    for (int m = 0; m < s->count; m++) {
        tc_apprentice *a = &s->model[m];
        const tc_model *model = architecture_of(s, a)->model;
        tc_snapshot_host(snapshot, &a->age, sizeof a->age);
        tc_snapshot_host(snapshot, &a->generation, sizeof a->generation);
        tc_snapshot_host(snapshot, a->weights.theta, tc_model_parameters(model) * sizeof *a->weights.theta);
        tc_snapshot_host(snapshot, a->weights.state, tc_model_state(model) * sizeof *a->weights.state);
    }
}

int64_t tc_stagger_first_age(const tc_stagger *s, int m) {
    return 1 + m * s->apart;
}

tc_status tc_stagger_begin(tc_stagger *s, int m, tc_error *error) {
    if (!s->model[m].age) renew(s, m);
    return train_an_epoch(s, m, error);
}

tc_status tc_stagger_advance(tc_stagger *s, int m, tc_error *error) {
    tc_apprentice *a = &s->model[m];
    if (a->age >= s->life) {
        a->generation++;
        renew(s, m);
    }
    return train_an_epoch(s, m, error);
}

static tc_status make(tc_stagger *s, tc_error *error) {
    tc_status status = TC_OK;
    const tc_craft_job *job = s->job;
    TC_TRY(tc_view_create(job->dataset, NULL, &s->view, error));
    TC_TRY(tc_new(&s->schedule, (size_t)job->architecture_count, sizeof *s->schedule, error));
    for (int i = 0; i < job->architecture_count; i++)
        TC_TRY(tc_schedule_make(job->architectures[i].train, &s->schedule[i], error));
    TC_TRY(tc_new(&s->model, (size_t)s->count, sizeof *s->model, error));
    for (int m = 0; m < s->count; m++) {
        s->model[m].architecture = m % job->architecture_count;
        TC_TRY(tc_weights_create(architecture_of(s, &s->model[m])->model, &s->model[m].weights, error));
    }
done:
    return status;
}

tc_status tc_stagger_check(const tc_craft_job *job, tc_error *error) {
    tc_status status = TC_OK;
    if (job->architecture_count < 1)
        TC_RAISE(TC_INVALID, "attack: no network to train is given; name the surrogate's model");
    for (int i = 0; i < job->architecture_count; i++)
        if (!job->architectures[i].train)
            TC_RAISE(TC_INVALID, "attack: nobody has said how %s is trained; give it a training",
                     tc_model_name(job->architectures[i].model));
done:
    return status;
}

tc_status tc_stagger_create(const tc_craft_job *job, int models, int64_t apart, tc_stagger *s, tc_error *error) {
    tc_status status = TC_OK;
    *s = (tc_stagger){.job = job, .count = models, .apart = apart, .life = models * apart};
    TC_TRY(tc_stagger_check(job, error));
    TC_TRY(make(s, error));
done:
    if (status != TC_OK) tc_stagger_free(s);
    return status;
}

void tc_stagger_free(tc_stagger *s) {
    for (int m = 0; s->model && m < s->count; m++) tc_weights_free(&s->model[m].weights);
    if (s->view.dataset) tc_view_free(&s->view);
    free(s->schedule);
    free(s->model);
    *s = (tc_stagger){0};
}
