#include "compute/cpu/loop_memory.h"

tc_status tc_loop_memory_create(tc_device *device, const tc_convolution *g, size_t packed, size_t room, size_t parts,
                                tc_loop_memory *memory, tc_error *error) {
    tc_status status = TC_OK;
    *memory = (tc_loop_memory){0};
    for (int way = 0; way < (g->first ? 1 : TC_WAYS); way++)
        for (int which = 0; which < (g->tangents ? 2 : 1); which++)
            TC_TRY(tc_device_reals(device, packed, &memory->packed[way][which], error));
    if (room) TC_TRY(tc_device_reals(device, room, &memory->room, error));
    if (parts) TC_TRY(tc_device_reals(device, parts, &memory->parts, error));
done:
    return status;
}

void tc_loop_memory_free(tc_device *device, tc_loop_memory *memory) {
    void *const held[] = {memory->packed[TC_AHEAD][TC_WEIGHTS],
                          memory->packed[TC_AHEAD][TC_WEIGHTS_T],
                          memory->packed[TC_BACK][TC_WEIGHTS],
                          memory->packed[TC_BACK][TC_WEIGHTS_T],
                          memory->room,
                          memory->parts};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) device->k->release(device, held[i]);
    *memory = (tc_loop_memory){0};
}
