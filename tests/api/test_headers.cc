// The public headers are C++ too, and what they declare links.
#include <tocsin/tocsin.h>

#include <cstdio>
#include <cstring>

int main() {
    tocsin_error error;
    tocsin_device *device = nullptr;
    const tocsin_status status = tocsin_device_open("abacus", 1, &device, &error);
    std::printf("%s: %s\n", tocsin_version(), error.message);
    return status == TOCSIN_INVALID && !device && std::strstr(error.message, "abacus") ? 0 : 1;
}
