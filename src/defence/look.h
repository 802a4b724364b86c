/* look.h — what a trained network makes of every sample that it was trained on, in evaluation mode and un-augmented.
 *
 * The features φ are what the last layer reads: the value named "features", or the last that the network names. With
 * probabilities p = softmax(z) and the one-hot label e_y, the residual p − e_y is the loss's gradient by the logits,
 * and (p − e_y) ⊗ (φ, 1) its gradient by the last layer's weights and biases, which is why nobody needs to store it:
 *
 *     ‖g‖² = ‖p − e_y‖² (‖φ‖² + 1),   ⟨g, g'⟩ = ⟨p − e_y, p' − e_y'⟩ (⟨φ, φ'⟩ + 1). */
#ifndef TC_DEFENCE_LOOK_H
#define TC_DEFENCE_LOOK_H

#include "defence/defence.h"

typedef struct tc_look {
    size_t count;
    int classes, width;
    int32_t *label;  /* [count] */
    float *features; /* [count][width]; NULL: not asked for */
    float *logits;   /* [count][classes] */
} tc_look;

/* Says how far it is up to the fraction `until` of the job's progress. */
tc_status tc_look_create(const tc_filter_job *job, bool features, double until, tc_look *look, tc_error *error);
void tc_look_free(tc_look *look);

double tc_look_loss(const tc_look *look, size_t i);
void tc_look_residual(const tc_look *look, size_t i, float *residual /* [classes] */);

/* The samples of one class: places in the view, increasing. */
typedef struct tc_members {
    size_t count;
    uint32_t *place; /* [count] of [look->count] */
} tc_members;
tc_status tc_members_create(const tc_look *look, tc_members *members, tc_error *error); /* room; empty */
void tc_members_of(const tc_look *look, int class, tc_members *members);
/* Their features, [members->count][look->width]; free them. */
tc_status tc_members_features(const tc_look *look, const tc_members *members, float **features, tc_error *error);
void tc_members_free(tc_members *members);

/* `step` for the samples of each class in turn, of none where the class has none; how far that is is told from the
 * fraction `from` of the job's progress on. `who` begins the message when the job is to stop. */
typedef tc_status tc_class_step(const tc_look *look, const tc_members *members, int class, void *context,
                                tc_error *error);
tc_status tc_look_by_class(const tc_filter_job *job, const tc_look *look, const char *who, double from,
                           tc_class_step *step, void *context, tc_error *error);

/* TC_INTERRUPTED when the job is to stop; `fraction` is told. `who` begins the message. */
tc_status tc_filter_tell(const tc_filter_job *job, const char *who, double fraction, tc_error *error);

#endif
