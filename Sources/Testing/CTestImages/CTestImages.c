#include "CTestImages.h"

#include <stdio.h> // jpeglib.h needs it

#include <jpeglib.h>
#include <stdlib.h>
#include <webp/decode.h>
#include <webp/encode.h>

#ifdef HEIF
#include <libheif/heif.h>
#include <string.h>
#endif

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

#ifdef HEIF
struct written {
    uint8_t *bytes;
    size_t count;
};

static struct heif_error keep(struct heif_context *context, const void *data, size_t size, void *user) {
    (void)context;
    struct written *written = user;
    written->bytes = malloc(size);
    if (written->bytes) {
        memcpy(written->bytes, data, size);
        written->count = size;
    }
    return (struct heif_error){heif_error_Ok, heif_suberror_Unspecified, ""};
}

static struct heif_image *make_image(test_heif_request request, const uint8_t *samples) {
    struct heif_image *image = NULL;
    enum heif_chroma chroma = request.bits == 8
                                  ? (request.has_alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB)
                                  : (request.has_alpha ? heif_chroma_interleaved_RRGGBBAA_LE
                                                       : heif_chroma_interleaved_RRGGBB_LE);
    int width = (int)request.width, height = (int)request.height, stride = 0;
    heif_image_create(width, height, heif_colorspace_RGB, chroma, &image);
    heif_image_add_plane(image, heif_channel_interleaved, width, height, request.bits);
    uint8_t *plane = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    size_t row = request.width * (request.has_alpha ? 4u : 3u) * (request.bits == 8 ? 1u : 2u);
    for (size_t y = 0; y < request.height; y++) memcpy(plane + y * (size_t)stride, samples + y * row, row);
    if (request.profile) {
        heif_image_set_raw_color_profile(image, "prof", request.profile, request.profile_length);
    }
    return image;
}

size_t test_heif_encode(test_heif_request request, const uint8_t *samples, uint8_t **file) {
    struct written written = {NULL, 0};
    struct heif_writer writer = {.writer_api_version = 1, .write = keep};
    struct heif_encoder *encoder = NULL;
    struct heif_context *context = heif_context_alloc();
    heif_context_get_encoder_for_format(
        context, request.is_hevc ? heif_compression_HEVC : heif_compression_AV1, &encoder);
    struct heif_image *image = make_image(request, samples);
    if (encoder && image) {
        heif_encoder_set_lossy_quality(encoder, request.quality);
        const char *chroma = request.chroma == 420 ? "420" : request.chroma == 422 ? "422" : "444";
        heif_encoder_set_parameter_string(encoder, "chroma", chroma);
        heif_context_encode_image(context, image, encoder, NULL, NULL);
        heif_context_write(context, &writer, &written);
    }
    heif_image_release(image);
    heif_encoder_release(encoder);
    heif_context_free(context);
    *file = written.bytes;
    return written.count;
}
#endif
