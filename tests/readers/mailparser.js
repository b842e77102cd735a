// Mails as npm's mailparser reads them; see readers.py.
const { createHash } = require("crypto");
const { readFileSync } = require("fs");
const libmime = require("libmime"); // mailparser's own, which it leaves to its user for other headers
const { simpleParser } = require("mailparser");

// mailparser takes the quotes off a local part that can't be without them.
function address(text) {
    const at = text.lastIndexOf("@");
    const local = text.slice(0, at);
    return /^[^\s"(),:;<>@[\\\].]+(\.[^\s"(),:;<>@[\\\].]+)*$/.test(local) ? text : `"${local}"${text.slice(at)}`;
}

// It reads ISO-2022-JP by Microsoft's table, where six signs are other characters than in JIS X 0208's.
const JIS = { "～": "〜", "－": "−", "∥": "‖", "￠": "¢", "￡": "£", "￢": "¬" };
const unmicrosoft = (key, value) => (typeof value === "string" ? value.replace(/[～－∥￠￡￢]/g, (c) => JIS[c]) : value);

const addresses = (header) => (header ? header.value.map((a) => [a.name, address(a.address)]) : []);
const text = (value) => (typeof value === "string" ? value : null);

async function read(raw) {
    const mail = await simpleParser(raw, { skipTextToHtml: true, skipHtmlToText: true, skipImageLinks: true });
    const headers = {};
    for (const { key, line } of mail.headerLines) headers[key] = line.slice(key.length + 1).replace(/\r?\n/g, "").trim();
    for (const [name, value] of mail.headers) if (typeof value === "string") headers[name] = libmime.decodeWords(value);
    const found = {
        subject: mail.subject || "", from: addresses(mail.from), to: addresses(mail.to), reply_to: addresses(mail.replyTo),
        headers, text: text(mail.text), html: text(mail.html),
        files: mail.attachments.map((a) => ({
            name: a.filename, type: a.contentType, cid: a.cid || null, disposition: a.contentDisposition,
            sha256: createHash("sha256").update(a.content).digest("hex"),
        })),
        defects: [],
    };
    return raw.includes("iso-2022-jp") ? JSON.parse(JSON.stringify(found), unmicrosoft) : found;
}

(async () => {
    const found = [];
    for (const mail of JSON.parse(readFileSync(0, "utf8")).mails) found.push(await read(Buffer.from(mail, "base64")));
    process.stdout.write(JSON.stringify(found));
})();
