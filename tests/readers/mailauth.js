// DKIM as npm's mailauth sees it; see readers.py.
const { readFileSync } = require("fs");
const { dkimVerify } = require("mailauth/lib/dkim/verify");

const { mails, records } = JSON.parse(readFileSync(0, "utf8"));

async function resolver(name, type) {
    if (type === "TXT" && records[name]) return [[records[name]]];
    throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
}

(async () => {
    const found = [];
    for (const mail of mails) {
        const { results } = await dkimVerify(Buffer.from(mail, "base64"), { resolver });
        found.push(results.map((r) => [r.selector, r.algo, r.status.result]));
    }
    process.stdout.write(JSON.stringify(found));
})();
