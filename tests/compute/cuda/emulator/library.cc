/* library.cc — failures on demand, and the tally. */
#include "library.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

extern "C" {
tc_emulator_counts tc_emulator_tally;
}

bool tc_emulator_fails(const char *function) {
    static std::mutex counting;
    static std::map<std::string, int> calls;
    static std::string wish;
    const std::lock_guard<std::mutex> alone(counting);
    const char *said = getenv("TOCSIN_EMULATED_FAILURE");
    const size_t length = strlen(function);
    if (!said) said = "";
    if (wish != said) calls.clear();
    wish = said;
    const int call = ++calls[function];
    if (strncmp(said, function, length) != 0) return false;
    if (said[length] == '\0') return true;
    return said[length] == ':' && call >= atoi(said + length + 1);
}
