#include "CLCMS.h"

#include <lcms2.h>
#include <stdlib.h>

struct bifrons_colour {
    cmsContext context;
    cmsHTRANSFORM transform;
};

bifrons_colour *bifrons_colour_open(
    const uint8_t *from, size_t from_count, const uint8_t *to, size_t to_count, bifrons_colour_layout layout) {
    static const struct {
        cmsUInt32Number in, out;
    } formats[] = {
        [BIFRONS_COLOUR_GRAY] = {TYPE_GRAY_8, TYPE_RGB_8},
        [BIFRONS_COLOUR_RGB] = {TYPE_RGB_8, TYPE_RGB_8},
        [BIFRONS_COLOUR_RGBA] = {TYPE_RGBA_8, TYPE_RGBA_8},
        [BIFRONS_COLOUR_INVERTED_CMYK] = {TYPE_CMYK_8_REV, TYPE_RGB_8},
    };
    bifrons_colour *colour = calloc(1, sizeof *colour);
    if (!colour) return NULL;
    // Each transform has its own context, because LittleCMS keeps errors and plug-ins there.
    colour->context = cmsCreateContext(NULL, NULL);
    if (!colour->context) {
        free(colour);
        return NULL;
    }
    cmsHPROFILE input = cmsOpenProfileFromMemTHR(colour->context, from, (cmsUInt32Number)from_count);
    cmsHPROFILE output = cmsOpenProfileFromMemTHR(colour->context, to, (cmsUInt32Number)to_count);
    if (input && output) {
        colour->transform = cmsCreateTransformTHR(
            colour->context, input, formats[layout].in, output, formats[layout].out, INTENT_PERCEPTUAL, 0);
    }
    if (input) cmsCloseProfile(input);
    if (output) cmsCloseProfile(output);
    if (!colour->transform) {
        bifrons_colour_close(colour);
        return NULL;
    }
    return colour;
}

void bifrons_colour_close(bifrons_colour *colour) {
    if (colour->transform) cmsDeleteTransform(colour->transform);
    cmsDeleteContext(colour->context);
    free(colour);
}

void bifrons_colour_convert(const bifrons_colour *colour, const uint8_t *in, uint8_t *out, size_t count) {
    cmsDoTransform(colour->transform, in, out, (cmsUInt32Number)count);
}
