'use strict';
// npm's smtp-server for the tests: listens at each address as its face says, refuses as told, and keeps every mail in a maildir.
//
//     node smtp_server.js server.json
//
// {"port": N, "host": NAME, "maildir": PATH, "faces": {ADDRESS: {"pipelining": bool, "smtputf8": bool, "tls": bool}},
//  "refuse": {beginning of a local part: reply}, "tls": {options of Node's TLS}, "options": {more of smtp-server's}}

const {randomUUID} = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const {SMTPServer} = require('smtp-server');

const told = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

function refusal(address) {
    const name = Object.keys(told.refuse).find(start => address.startsWith(start));
    return name && Object.assign(new Error(told.refuse[name].slice(4)), {responseCode: Number(told.refuse[name].slice(0, 3))});
}

function keep(stream, session, done) {
    const name = randomUUID();
    const made = path.join(told.maildir, 'tmp', name);
    const file = fs.createWriteStream(made);
    file.once('close', () => {
        fs.renameSync(made, path.join(told.maildir, 'new', name));
        const used = {tls: session.secure, smtputf8: session.envelope.smtpUtf8,
            [session.tlsOptions?.version]: session.secure};
        console.log('used ' + JSON.stringify([session.localAddress, Object.keys(used).filter(one => used[one])]));
        done(null, `2.0.0 kept as ${name}`);
    });
    stream.pipe(file);
}

for (const [address, face] of Object.entries(told.faces)) {
    const server = new SMTPServer({
        name: told.host, authOptional: true, disableReverseLookup: true, size: 50 << 20, logger: false, 
        hidePIPELINING: !face.pipelining, hideSMTPUTF8: !face.smtputf8, hideSTARTTLS: !face.tls,
        ...told.tls, ...told.options,
        onRcptTo: ({address: to}, session, done) => done(refusal(to)),
        onData: keep,
    });
    server.on('error', error => console.log(`error ${error.message}`));
    server.listen(told.port, address);
}
