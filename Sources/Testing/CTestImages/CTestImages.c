#include "CTestImages.h"

#include <stdio.h> // jpeglib.h needs it

#include <jpeglib.h>
#include <stdlib.h>
#include <webp/decode.h>
#include <webp/encode.h>

static int scan_a_component(jpeg_scan_info *script, int components) {
    for (int i = 0; i < components; i++) {
        script[i] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {i}, .Ss = 0, .Se = DCTSIZE2 - 1};
    }
    return components;
}

static int scan_a_coefficient(jpeg_scan_info *script, int components) {
    int count = 0;
    script[count++] = (jpeg_scan_info){.comps_in_scan = components, .component_index = {0, 1, 2, 3}};
    for (int i = 0; i < components; i++) {
        for (int k = 1; k < DCTSIZE2; k++) {
            script[count++] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {i}, .Ss = k, .Se = k};
        }
    }
    return count;
}

size_t test_jpeg_encode(test_jpeg_request request, const uint8_t *samples, uint8_t **file) {
    static const struct {
        int channels;
        J_COLOR_SPACE in, out;
    } spaces[] = {
        [TEST_JPEG_GRAY] = {1, JCS_GRAYSCALE, JCS_GRAYSCALE},
        [TEST_JPEG_YCBCR] = {3, JCS_RGB, JCS_YCbCr},
        [TEST_JPEG_RGB] = {3, JCS_RGB, JCS_RGB},
        [TEST_JPEG_CMYK] = {4, JCS_CMYK, JCS_CMYK},
        [TEST_JPEG_YCCK] = {4, JCS_CMYK, JCS_YCCK},
    };
    struct jpeg_compress_struct state;
    struct jpeg_error_mgr errors;
    state.err = jpeg_std_error(&errors);
    jpeg_create_compress(&state);
    unsigned long length = 0;
    *file = NULL;
    jpeg_mem_dest(&state, file, &length);
    state.image_width = request.width;
    state.image_height = request.height;
    state.input_components = spaces[request.colour].channels;
    state.in_color_space = spaces[request.colour].in;
    jpeg_set_defaults(&state);
    jpeg_set_colorspace(&state, spaces[request.colour].out);
    jpeg_set_quality(&state, request.quality, TRUE);
    state.comp_info[0].h_samp_factor = state.comp_info[0].v_samp_factor = request.subsampling;
    if (state.num_components == 4) { // black has the resolution of the first component
        state.comp_info[3].h_samp_factor = state.comp_info[3].v_samp_factor = request.subsampling;
    }
    state.arith_code = request.arithmetic;
    state.write_Adobe_marker = request.adobe_marker;
    state.restart_in_rows = request.restart_rows;
    state.optimize_coding = !request.arithmetic;
    jpeg_scan_info script[1 + 4 * DCTSIZE2];
    if (request.scans == TEST_JPEG_PROGRESSIVE) jpeg_simple_progression(&state);
    if (request.scans == TEST_JPEG_SCAN_A_COMPONENT || request.scans == TEST_JPEG_SCAN_A_COEFFICIENT) {
        state.num_scans = request.scans == TEST_JPEG_SCAN_A_COMPONENT ? scan_a_component(script, state.num_components)
                                                                     : scan_a_coefficient(script, state.num_components);
        state.scan_info = script;
    }
    jpeg_start_compress(&state, TRUE);
    size_t stride = (size_t)request.width * (size_t)state.input_components;
    while (state.next_scanline < state.image_height) {
        JSAMPROW row = (JSAMPROW)(samples + state.next_scanline * stride);
        jpeg_write_scanlines(&state, &row, 1);
    }
    jpeg_finish_compress(&state);
    jpeg_destroy_compress(&state);
    return length;
}

size_t test_webp_encode(const uint8_t *rgba, uint32_t width, uint32_t height, float quality, uint8_t **file) {
    int stride = (int)width * 4;
    *file = NULL;
    return quality < 0 ? WebPEncodeLosslessRGBA(rgba, (int)width, (int)height, stride, file)
                       : WebPEncodeRGBA(rgba, (int)width, (int)height, stride, quality, file);
}

uint8_t *test_webp_decode(const uint8_t *file, size_t count, int *width, int *height) {
    return WebPDecodeRGBA(file, count, width, height);
}
