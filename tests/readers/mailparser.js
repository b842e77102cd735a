// Mails as npm's mailparser reads them; see readers.py.
const { createHash } = require("crypto");
const { readFileSync } = require("fs");
const libmime = require("libmime"); // mailparser's own, which it leaves to its user for other headers
const { simpleParser } = require("mailparser");

const addresses = (header) => (header ? header.value.map((a) => [a.name, a.address]) : []);
const text = (value) => (typeof value === "string" ? value : null);

async function read(raw) {
    const mail = await simpleParser(raw, { skipTextToHtml: true, skipHtmlToText: true, skipImageLinks: true });
    const headers = {};
    for (const [name, value] of mail.headers) if (typeof value === "string") headers[name] = libmime.decodeWords(value);
    return {
        subject: mail.subject || "", from: addresses(mail.from), to: addresses(mail.to), reply_to: addresses(mail.replyTo),
        headers, text: text(mail.text), html: text(mail.html),
        files: mail.attachments.map((a) => ({
            name: a.filename, type: a.contentType, cid: a.cid || null, disposition: a.contentDisposition,
            sha256: createHash("sha256").update(a.content).digest("hex"),
        })),
        defects: [],
    };
}

(async () => {
    const found = [];
    for (const mail of JSON.parse(readFileSync(0, "utf8")).mails) found.push(await read(Buffer.from(mail, "base64")));
    process.stdout.write(JSON.stringify(found));
})();
