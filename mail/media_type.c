/* Extensions and the types registered for them. Mails themselves (message/...) are sent as octets: base64, in
 * which attachments are written, is not allowed for them (RFC 2046 section 5.2.1). */
#include "media_type.h"

static const struct {
    struct slice extension, type;
} types[] = {
#define T(extension, type)                                                                                   \
    {                                                                                                        \
        {extension, sizeof extension - 1}, {                                                                 \
            type, sizeof type - 1                                                                            \
        }                                                                                                    \
    }
    T("7z", "application/x-7z-compressed"),
    T("aac", "audio/aac"),
    T("avif", "image/avif"),
    T("bmp", "image/bmp"),
    T("css", "text/css"),
    T("csv", "text/csv"),
    T("doc", "application/msword"),
    T("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    T("epub", "application/epub+zip"),
    T("gif", "image/gif"),
    T("gz", "application/gzip"),
    T("heic", "image/heic"),
    T("htm", "text/html"),
    T("html", "text/html"),
    T("ico", "image/vnd.microsoft.icon"),
    T("ics", "text/calendar"),
    T("jpeg", "image/jpeg"),
    T("jpg", "image/jpeg"),
    T("json", "application/json"),
    T("m4a", "audio/mp4"),
    T("md", "text/markdown"),
    T("mov", "video/quicktime"),
    T("mp3", "audio/mpeg"),
    T("mp4", "video/mp4"),
    T("odp", "application/vnd.oasis.opendocument.presentation"),
    T("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    T("odt", "application/vnd.oasis.opendocument.text"),
    T("ogg", "audio/ogg"),
    T("p7s", "application/pkcs7-signature"),
    T("pdf", "application/pdf"),
    T("png", "image/png"),
    T("ppt", "application/vnd.ms-powerpoint"),
    T("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    T("rtf", "application/rtf"),
    T("svg", "image/svg+xml"),
    T("tar", "application/x-tar"),
    T("tif", "image/tiff"),
    T("tiff", "image/tiff"),
    T("txt", "text/plain"),
    T("vcf", "text/vcard"),
    T("wav", "audio/vnd.wave"),
    T("webm", "video/webm"),
    T("webp", "image/webp"),
    T("xls", "application/vnd.ms-excel"),
    T("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    T("xml", "application/xml"),
    T("zip", "application/zip"),
#undef T
};

struct slice media_type_of(struct slice file_name) {
    const char *dot = file_name.len ? memrchr(file_name.at, '.', file_name.len) : NULL;
    if (dot) {
        struct slice extension = slice_make(dot + 1, (size_t)(file_name.at + file_name.len - (dot + 1)));
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (slice_eq_nocase(types[i].extension, extension)) return types[i].type;
    }
    return SLICE("application/octet-stream");
}
