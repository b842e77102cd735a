'use strict';
// Haraka's plugin for the tests: announces at each address what its face says, refuses as told, and keeps every mail in a
// maildir. Its configuration is server.json beside Haraka's own.

const fs = require('node:fs');
const path = require('node:path');

exports.register = function () {
    this.told = JSON.parse(fs.readFileSync(path.join(process.env.HARAKA, 'server.json'), 'utf8'));
    // Behind those of tls, which adds STARTTLS.
    this.register_hook('capabilities', 'announce', 100);
    this.register_hook('mail', 'sender');
    this.register_hook('rcpt', 'recipient');
    this.register_hook('queue', 'keep');
    this.register_hook('disconnect', 'note');
};

const WORDS = {pipelining: 'PIPELINING', smtputf8: 'SMTPUTF8', tls: 'STARTTLS'};

exports.announce = function (next, connection) {
    const face = this.told.faces[connection.local.ip];
    const hidden = Object.keys(WORDS).filter(name => !face[name]).map(name => WORDS[name]);
    connection.capabilities = connection.capabilities.filter(word => !hidden.includes(word));
    next();
};

// Not at once: Haraka notices PIPELINING only when commands wait.
exports.sender = (next) => setImmediate(next, OK);

exports.recipient = function (next, connection, params) {
    const name = Object.keys(this.told.refuse).find(start => params[0].user.startsWith(start));
    const reply = this.told.refuse[name]; // 550 5.1.1 words
    const verdict = reply ? [reply[0] === '5' ? DENY : DENYSOFT, reply.slice(4)] : [OK];
    setImmediate(next, ...verdict);
};

exports.keep = function (next, connection) {
    const {transaction} = connection;
    connection.notes.utf8 ||= transaction.rcpt_to.some(to => /[^\x00-\x7f]/.test(to.original));
    const made = path.join(this.told.maildir, 'tmp', transaction.uuid);
    const file = fs.createWriteStream(made);
    file.once('close', () => {
        fs.renameSync(made, path.join(this.told.maildir, 'new', transaction.uuid));
        next(OK, `2.0.0 kept as ${transaction.uuid}`);
    });
    transaction.message_stream.pipe(file);
};

exports.note = function (next, connection) {
    const used = {tls: connection.tls.enabled, pipelining: connection.pipelining, smtputf8: !!connection.notes.utf8,
        [connection.tls.cipher?.version]: connection.tls.enabled};
    this.lognotice('used ' + JSON.stringify([connection.local.ip, Object.keys(used).filter(name => used[name])]));
    next();
};
