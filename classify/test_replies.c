/* Replies as mail servers in general write them, in many words and languages, and what each means. None of
 * them is out of a collection: they were written for this table, so that the rules are measured by what they
 * were not made of. */
#include "classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct classify_rules *rules;

/* stage, reply, class ("a|b": either will do), h: hard, s: soft */
static const struct row {
    const char *stage, *reply, *class;
    char hardness;
} rows[] = {
    /* ---- nobody there ---- */
    {"rcpt",
     "550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown in local recipient table",
     "invalid-recipient", 'h'},
    {"rcpt", "550 5.1.1 unknown or disabled account", "invalid-recipient|inactive-mailbox", '?'},
    {"rcpt", "550 No such user (anna)", "invalid-recipient", 'h'},
    {"rcpt", "550-5.1.1 The email account that you tried to reach does not exist. Please try",
     "invalid-recipient", 'h'},
    {"rcpt",
     "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@example.com not found by SMTP address lookup",
     "invalid-recipient", 'h'},
    {"rcpt", "550 #5.1.0 Address rejected.", "invalid-recipient|recipient-refused", 's'},
    {"rcpt", "550 Unrouteable address", "invalid-recipient|invalid-domain", 'h'},
    {"rcpt",
     "550-Verification failed for <anna@example.com>\\n550-Unrouteable address\\n550 Sender verify failed",
     "sender-rejected", 's'},
    {"rcpt", "550 Administrative prohibition", "policy-block", 's'},
    {"rcpt", "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", "invalid-recipient", 'h'},
    {"rcpt", "550 sorry, no mailbox here by that name. (#5.7.17)", "invalid-recipient", 'h'},
    {"rcpt", "553 5.1.1 <anna@example.com>... User unknown", "invalid-recipient", 'h'},
    {"rcpt", "550 Mailbox not found", "invalid-recipient", 'h'},
    {"-", "550 Requested action not taken: mailbox unavailable", "invalid-recipient", 'h'},
    {"rcpt", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", "invalid-recipient",
     'h'},
    {"rcpt", "550 Recipient anna@example.com does not exist here", "invalid-recipient", 'h'},
    {"rcpt", "550 <anna@example.com> is not a valid mailbox", "invalid-recipient", 'h'},
    {"rcpt", "550 That email address does not exist at this domain", "invalid-recipient", 'h'},
    {"rcpt", "550 The account anna@example.com could not be found", "invalid-recipient", 'h'},
    {"rcpt", "550 Account not found: anna", "invalid-recipient", 'h'},
    {"rcpt", "550 There is no such mailbox on this server", "invalid-recipient", 'h'},
    {"rcpt", "550 No such local user", "invalid-recipient", 'h'},
    {"rcpt", "550 Invalid recipient anna@example.com (Mode: normal)", "invalid-recipient", 'h'},
    {"rcpt", "550 5.1.1 Recipient invalid", "invalid-recipient", 'h'},
    {"rcpt", "550 cuda_nsu 5.1.1 <anna@example.com>: Recipient address rejected: No such user",
     "invalid-recipient", 'h'},
    {"rcpt", "550 permanent failure for one or more recipients (anna@example.com:550 5.1.1 User Unknown)",
     "invalid-recipient", 'h'},
    {"rcpt", "550 Bad destination mailbox address", "invalid-recipient", 'h'},
    {"rcpt", "550 Addressee unknown in this organisation", "invalid-recipient", 'h'},
    {"rcpt", "553 Invalid user", "invalid-recipient", 'h'},
    {"rcpt", "550 User is not known at this host", "invalid-recipient|relay-denied", '?'},
    {"rcpt", "551 User not local; please try <forward-path>", "invalid-recipient|relay-denied", '?'},
    {"rcpt", "550 Unknown recipient", "invalid-recipient", 'h'},
    {"data",
     "554 delivery error: dd This user doesn't have a yahoo.com account (anna@yahoo.com) [0] - "
     "mta1.mail.yahoo.com",
     "invalid-recipient", 'h'},
    {"data", "552 1 Requested mail action aborted, mailbox not found", "invalid-recipient", 'h'},
    {"-", "Recipient does not exist", "invalid-recipient", 'h'},
    {"-", "The email account that you tried to reach does not exist", "invalid-recipient", 'h'},
    {"rcpt", "550 5.1.1 <anna@example.com> Email address could not be found, or was misspelled (G8)",
     "invalid-recipient", 'h'},
    {"rcpt", "550 Not our Customer", "invalid-recipient", 'h'},
    {"rcpt", "550 5.1.1 : Mail recipient not found", "invalid-recipient", 'h'},
    {"rcpt", "550 5.1.1 User does not exist - psmtp", "invalid-recipient", 'h'},
    {"rcpt", "550 RCPT TO:<anna@example.com> User unknown", "invalid-recipient", 'h'},
    {"rcpt", "550 Unknown address error 550-'5.1.1 <anna@example.com>... User unknown'", "invalid-recipient",
     'h'},
    {"rcpt", "550 5.1.1 The recipient has moved: mailbox has moved, no forwarding address",
     "invalid-recipient", 'h'},
    {"rcpt", "550 5.2.1 anna@example.com: mailbox deleted", "invalid-recipient", 'h'},
    {"rcpt", "550 Person no longer works here", "invalid-recipient", '?'},
    {"rcpt", "550 invalid address: anna", "invalid-recipient", 'h'},
    {"rcpt", "550 anna@example.com: no such user here", "invalid-recipient", 'h'},
    {"rcpt", "554 5.1.1 unknown user account", "invalid-recipient", 'h'},
    {"rcpt", "550-'No Such User Here'", "invalid-recipient", 'h'},
    {"rcpt", "550 User [anna] does not exist", "invalid-recipient", 'h'},
    {"rcpt", "550 Requested mail action not taken: nonexistent mailbox", "invalid-recipient", 'h'},
    /* the same in other languages */
    {"rcpt", "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]",
     "invalid-recipient", 'h'},
    {"rcpt", "550 Utilisateur inconnu", "invalid-recipient", 'h'},
    {"rcpt", "550 Le destinataire n'existe pas", "invalid-recipient", 'h'},
    {"rcpt", "550 Bo\xC3\xAEte aux lettres introuvable", "invalid-recipient", 'h'},
    {"rcpt", "550 bo\xEEte aux lettres inexistante", "invalid-recipient", 'h'},
    {"rcpt", "550 Cette adresse est inconnue chez nous", "invalid-recipient", 'h'},
    {"rcpt", "550 Empf\xC3\xA4nger unbekannt", "invalid-recipient", 'h'},
    {"rcpt", "550 Benutzer nicht gefunden", "invalid-recipient", 'h'},
    {"rcpt", "550 Dieses Postfach existiert nicht", "invalid-recipient", 'h'},
    {"rcpt", "550 Unbekannter Empf\xE4nger", "invalid-recipient", 'h'},
    {"rcpt", "550 Die E-Mail-Adresse ist nicht bekannt", "invalid-recipient", 'h'},
    {"rcpt", "550 Usuario desconocido", "invalid-recipient", 'h'},
    {"rcpt", "550 El buz\xC3\xB3n no existe", "invalid-recipient", 'h'},
    {"rcpt", "550 La cuenta de correo no existe", "invalid-recipient", 'h'},
    {"rcpt", "550 Destinatario no encontrado", "invalid-recipient", 'h'},
    {"rcpt", "550 Usu\xC3\xA1rio n\xC3\xA3o encontrado", "invalid-recipient", 'h'},
    {"rcpt", "550 Destinat\xC3\xA1rio inexistente", "invalid-recipient", 'h'},
    {"rcpt", "550 A conta de e-mail n\xC3\xA3o existe", "invalid-recipient", 'h'},
    {"rcpt", "550 Пользователь не найден", "invalid-recipient", 'h'},
    {"rcpt", "550 Такого пользователя не существует", "invalid-recipient", 'h'},
    {"rcpt", "550 Почтовый ящик не существует", "invalid-recipient", 'h'},
    {"rcpt",
     "550 Message was not accepted -- invalid mailbox. Local mailbox anna@mail.ru is unavailable: user not "
     "found",
     "invalid-recipient", 'h'},
    {"rcpt", "550 5.7.1 No such user!", "invalid-recipient", 'h'},
    {"rcpt", "550 ユーザーが存在しません", "invalid-recipient", 'h'},
    {"rcpt", "550 指定されたメールアドレスは存在しません", "invalid-recipient", 'h'},
    {"rcpt", "550 宛先のユーザが見つかりませんでした", "invalid-recipient", 'h'},
    {"rcpt", "550 あて先不明です", "invalid-recipient", 'h'},
    {"rcpt", "550 用户不存在", "invalid-recipient", 'h'},
    {"rcpt", "550 收件人邮箱地址不存在", "invalid-recipient", 'h'},
    {"rcpt", "550 Mailbox not found or access denied 该用户不存在", "invalid-recipient", 'h'},
    {"rcpt", "550 此郵件地址不存在", "invalid-recipient", 'h'},
    {"rcpt", "550 User not found: anna@163.com", "invalid-recipient", 'h'},
    {"rcpt", "550 Casella inesistente", "invalid-recipient", 'h'},
    /* never hard: for now, after the content, or not sure */
    {"rcpt", "450 4.1.1 <anna@example.com>: Recipient address rejected: unverified address: User unknown",
     "invalid-recipient", 's'},
    {"rcpt", "451 4.1.1 User unknown, try again later", "invalid-recipient", 's'},
    {"data", "550 User unknown", "recipient-refused|invalid-recipient", 's'},
    {"data", "550 Unknown user anna@docomo.ne.jp", "recipient-refused", 's'},
    {"data", "550 <anna@ezweb.ne.jp>: User unknown", "recipient-refused", 's'},
    {"rcpt", "450 Mailbox unavailable, greylisted", "greylisted", 's'},
    {"rcpt", "550 Mailbox unavailable: your IP is listed at zen.spamhaus.org", "reputation-block", 's'},
    {"ehlo", "550 No such user", "invalid-recipient", 's'},
    {"rcpt", "550 5.1.1 anna@example.com: rejected because your IP 192.0.2.1 is blacklisted",
     "reputation-block", 's'},
    {"mail", "550 5.1.1 User unknown", "sender-rejected|invalid-recipient", 's'},
    {"mail", "501 bad address syntax", "sender-rejected", 's'},
    {"rcpt", "550 5.1.1 blocked by policy", "policy-block", 's'},
    {"rcpt", "550 Domain not found on this server, relay refused", "relay-denied", 's'},
    /* ---- no such domain ---- */
    {"rcpt",
     "550 5.1.2 <anna@example.invalid>... Host unknown (Name server: example.invalid.: no data known)",
     "invalid-domain", 'h'},
    {"-",
     "5.4.4 Host or domain name not found. Name service error for name=example.invalid type=A: Host not "
     "found",
     "invalid-domain|network-failure", '?'},
    {"rcpt", "556 5.1.10 Domain does not accept mail (nullMX)", "invalid-domain|invalid-recipient", 'h'},
    {"rcpt", "550 Domain not found: example.invalid", "invalid-domain", 'h'},
    {"rcpt", "550 5.1.2 Domaine inconnu", "invalid-domain", 'h'},
    {"rcpt", "550 Неизвестный домен", "invalid-domain", 'h'},
    {"rcpt", "550 域名不存在", "invalid-domain", 'h'},
    {"mail", "550 Domain not found: swallow.example", "sender-rejected", 's'},
    /* ---- out of use ---- */
    {"rcpt", "550 5.2.1 The email account that you tried to reach is disabled. Learn more",
     "inactive-mailbox", 's'},
    {"rcpt", "550 Account suspended", "inactive-mailbox", 's'},
    {"rcpt",
     "554 30 Sorry, your message to anna@aol.com cannot be delivered. This mailbox is disabled (554.30).",
     "inactive-mailbox", 's'},
    {"rcpt", "550 Mailbox is inactive", "inactive-mailbox", 's'},
    {"rcpt", "550 user account has been locked", "inactive-mailbox", 's'},
    {"rcpt", "550 The user's mailbox has expired", "inactive-mailbox", 's'},
    {"rcpt", "525 5.7.13 User account is administratively disabled", "inactive-mailbox", 's'},
    {"rcpt", "550 Account closed due to inactivity. No forwarding information is available.",
     "inactive-mailbox", 's'},
    {"rcpt", "550 Ce compte a \xC3\xA9t\xC3\xA9 suspendu", "inactive-mailbox", 's'},
    {"rcpt", "550 Das Konto ist gesperrt", "inactive-mailbox", 's'},
    {"rcpt", "550 Postfach deaktiviert", "inactive-mailbox", 's'},
    {"rcpt", "550 La cuenta ha sido suspendida", "inactive-mailbox", 's'},
    {"rcpt", "550 Conta desativada por falta de uso", "inactive-mailbox", 's'},
    {"rcpt", "550 Message was not accepted -- invalid mailbox: account is blocked",
     "inactive-mailbox|invalid-recipient", '?'},
    {"rcpt", "550 Почтовый ящик заблокирован", "inactive-mailbox", 's'},
    {"rcpt", "550 このアカウントは停止されています", "inactive-mailbox", 's'},
    {"rcpt", "550 メールボックスは休止中です", "inactive-mailbox", 's'},
    {"rcpt", "550 该邮箱已被禁用", "inactive-mailbox", 's'},
    {"rcpt", "550 帐号已冻结", "inactive-mailbox", 's'},
    {"rcpt", "550 Mailbox temporarily disabled", "inactive-mailbox", 's'},
    /* ---- refused by the recipient ---- */
    {"rcpt", "550 5.7.1 Recipient has blocked your address", "recipient-refused", 's'},
    {"data", "554 5.7.1 Message rejected by recipient's filter", "recipient-refused", 's'},
    {"rcpt", "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized to send to this recipient",
     "recipient-refused|policy-block", 's'},
    {"rcpt", "550 User does not want to receive your mail", "recipient-refused", 's'},
    {"rcpt", "550 5.2.0 recipient refuses to accept your mail", "recipient-refused", 's'},
    {"rcpt", "550 受信者により拒否されました", "recipient-refused", 's'},
    {"rcpt", "550 收件人拒收该邮件", "recipient-refused", 's'},
    {"rcpt", "550", "recipient-refused", 's'},
    {"rcpt", "550 Recipient not accepted", "recipient-refused", 's'},
    /* ---- full ---- */
    {"rcpt", "552 5.2.2 The email account that you tried to reach is over quota", "mailbox-full", 's'},
    {"rcpt", "452 4.2.2 Mailbox full", "mailbox-full", 's'},
    {"rcpt", "552 Mailbox size limit exceeded", "mailbox-full", 's'},
    {"data", "552 Message would exceed quota for <anna@example.com>", "mailbox-full", 's'},
    {"data",
     "554 5.2.2 mailbox full; "
     "STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
     "mailbox-full", 's'},
    {"rcpt", "552 Requested mail action aborted: exceeded storage allocation", "mailbox-full", 's'},
    {"rcpt", "422 4.2.2 The recipient's inbox is out of storage space", "mailbox-full", 's'},
    {"rcpt", "550 User quota exceeded, mailbox closed", "mailbox-full", 's'},
    {"rcpt", "552 5.2.2 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]", "mailbox-full",
     's'},
    {"rcpt", "550 La bo\xC3\xAEte est pleine", "mailbox-full", 's'},
    {"rcpt", "552 Das Postfach ist voll", "mailbox-full", 's'},
    {"rcpt", "552 Buz\xC3\xB3n lleno", "mailbox-full", 's'},
    {"rcpt", "552 Caixa postal cheia", "mailbox-full", 's'},
    {"rcpt", "552 Почтовый ящик переполнен", "mailbox-full", 's'},
    {"rcpt", "552 メールボックスがいっぱいです", "mailbox-full", 's'},
    {"rcpt", "552 容量オーバーのため受信できません", "mailbox-full", 's'},
    {"rcpt", "552 用户邮箱已满", "mailbox-full", 's'},
    {"-", "Quota exceeded (mailbox for user is full)", "mailbox-full", 's'},
    {"data", "552 Disk quota exceeded", "mailbox-full", 's'},
    {"rcpt", "450 4.2.2 anna@example.com: mailbox is over its quota, retry later", "mailbox-full", 's'},
    /* ---- size ---- */
    {"mail", "552 5.3.4 Message size exceeds fixed limit", "message-too-large", 's'},
    {"data", "552 Message exceeds maximum message size of 20480000 bytes", "message-too-large", 's'},
    {"data", "554 5.3.4 Error: message file too big", "message-too-large", 's'},
    {"mail", "552 5.2.3 Your message is too large", "message-too-large", 's'},
    {"mail", "552 Message too big for system", "message-too-large", 's'},
    {"data", "552 message larger than the allowed 10 MB", "message-too-large", 's'},
    {"mail", "552 Message trop volumineux", "message-too-large", 's'},
    {"mail", "552 Nachricht ist zu gro\xC3\x9F", "message-too-large", 's'},
    {"mail", "552 Mensaje demasiado grande", "message-too-large", 's'},
    {"mail", "552 Mensagem muito grande", "message-too-large", 's'},
    {"mail", "552 Размер сообщения превышает допустимый", "message-too-large", 's'},
    {"mail", "552 メールサイズが制限を超えています", "message-too-large", 's'},
    {"mail", "552 邮件大小超过限制", "message-too-large", 's'},
    /* ---- malware ---- */
    {"data", "554 5.7.1 Virus Eicar-Test-Signature found in message", "malware-rejected", 's'},
    {"data", "550 This message contains malware (Win.Trojan.Agent)", "malware-rejected", 's'},
    {"data", "552 5.7.0 This message was blocked because its attachment is of a forbidden file type",
     "malware-rejected", 's'},
    {"data", "550 Executable attachments are not allowed here", "malware-rejected", 's'},
    {"data", "554 Le message contient un virus", "malware-rejected", 's'},
    {"data", "554 Nachricht enth\xC3\xA4lt Schadsoftware", "malware-rejected", 's'},
    {"data", "554 Обнаружен вирус", "malware-rejected", 's'},
    {"data", "554 ウイルスが検出されました", "malware-rejected", 's'},
    {"data", "554 邮件含有病毒", "malware-rejected", 's'},
    /* ---- content ---- */
    {"data", "554 5.7.1 Message rejected as spam by content filter", "content-rejected", 's'},
    {"data", "550 5.7.1 This message scored 8.4 spam points.", "content-rejected", 's'},
    {"data", "554 Spam detected", "content-rejected", 's'},
    {"data", "550 High probability of spam", "content-rejected", 's'},
    {"data", "550-5.7.1 [192.0.2.1 12] Our system has detected that this message is likely unsolicited mail",
     "content-rejected", 's'},
    {"data", "554 5.6.0 Message contains bare newlines", "content-rejected", 's'},
    {"data", "554 Message is not RFC compliant: missing Date header", "content-rejected", 's'},
    {"data", "550 This message contains a URL listed in our filter", "content-rejected|reputation-block",
     's'},
    {"data", "550 Your message looks like SPAM or has been reported as SPAM, please contact the postmaster",
     "content-rejected", 's'},
    {"data", "554 Votre message est considere comme indesirable", "content-rejected", 's'},
    {"data", "550 Nachricht als Spam eingestuft", "content-rejected", 's'},
    {"data", "554 El mensaje fue rechazado por su contenido", "content-rejected", 's'},
    {"data", "550 Mensagem considerada spam", "content-rejected", 's'},
    {"data", "550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=1",
     "content-rejected", 's'},
    {"data", "554 5.7.1 Сообщение отклонено по подозрению в спаме", "content-rejected", 's'},
    {"data", "550 迷惑メールと判定されました", "content-rejected", 's'},
    {"data", "554 邮件内容被拒绝", "content-rejected", 's'},
    {"data", "550 Mail content denied. http://service.mail.qq.com/cgi-bin/help?subtype=1", "content-rejected",
     's'},
    {"data", "554 DT:SPM 163 smtp1,PsCowAAX,12345 please see http://mail.163.com/help/help_spam_16.htm",
     "content-rejected", 's'},
    {"data", "554", "content-rejected", 's'},
    /* ---- authentication ---- */
    {"data", "550 5.7.1 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.",
     "auth-failure", 's'},
    {"mail", "550 5.7.23 SPF validation failed for example.com", "auth-failure", 's'},
    {"mail", "550 SPF check failed: 192.0.2.1 is not allowed to send mail from example.com", "auth-failure",
     's'},
    {"data", "554 5.7.5 DKIM signature verification failed", "auth-failure", 's'},
    {"data", "550 5.7.26 This mail has been blocked because the sender is unauthenticated", "auth-failure",
     's'},
    {"rcpt", "550 5.7.0 Message rejected per SPF policy", "auth-failure", 's'},
    {"data",
     "550 5.7.515 Access denied, sending domain example.com does not meet the required authentication level.",
     "auth-failure", 's'},
    {"mail",
     "550 Rejected by SPF: 192.0.2.1 is not a designated mailer for example.com (context mfrom, on relay)",
     "auth-failure|relay-denied", 's'},
    {"data", "550 Письмо отклонено: проверка SPF не пройдена", "auth-failure", 's'},
    {"data", "550 \xE7\x99\xBC\xE4\xBF\xA1 SPF record not found", "auth-failure", 's'},
    /* ---- the sender, names in DNS ---- */
    {"mail", "550 Sender address rejected: Domain not found", "sender-rejected", 's'},
    {"rcpt", "450 4.1.8 <news@example.com>: Sender address rejected: Domain not found", "sender-rejected",
     's'},
    {"mail", "553 5.1.8 Domain of sender address news@example.com does not exist", "sender-rejected", 's'},
    {"rcpt", "550 Sender verify failed", "sender-rejected", 's'},
    {"ehlo", "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", "sender-rejected", 's'},
    {"ehlo", "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "sender-rejected",
     's'},
    {"connect", "554 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
     "sender-rejected", 's'},
    {"rcpt", "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "sender-rejected",
     's'},
    {"connect", "550 No PTR record for your IP", "sender-rejected", 's'},
    {"mail", "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)", "sender-rejected", 's'},
    {"mail", "550 Unknown sender", "sender-rejected", 's'},
    {"mail",
     "501 Adresse de l'exp\xC3\xA9"
     "diteur rejet\xC3\xA9"
     "e",
     "sender-rejected", 's'},
    {"mail", "550 Absenderadresse existiert nicht", "sender-rejected", 's'},
    {"mail", "550 Dominio del remitente desconocido", "sender-rejected", 's'},
    {"mail", "550 Домен отправителя не найден", "sender-rejected", 's'},
    {"mail", "550 送信者アドレスが存在しません", "sender-rejected", 's'},
    {"mail", "553 发件人域名不存在", "sender-rejected", 's'},
    {"mail", "550", "sender-rejected", 's'},
    {"connect", "554 reverse DNS lookup of 192.0.2.1 failed", "sender-rejected", 's'},
    {"rcpt", "550 Dynamic IP addresses are not accepted, use your provider's relay",
     "sender-rejected|relay-denied|reputation-block", 's'},
    /* ---- block lists and reputation ---- */
    {"rcpt",
     "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net; Blocked - see "
     "https://www.spamcop.net/bl.shtml?192.0.2.1",
     "reputation-block", 's'},
    {"connect", "554 Your IP 192.0.2.1 is listed in the Barracuda block list", "reputation-block", 's'},
    {"connect", "421 4.7.0 Your IP has a poor reputation, try again later", "reputation-block", 's'},
    {"connect",
     "554-mx1.example.com\\n554 Your access to this mail system has been rejected due to the sending MTA's "
     "poor reputation. If you believe that this failure is in error, please contact the intended recipient "
     "via alternate means.",
     "reputation-block", 's'},
    {"mail",
     "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service "
     "provider since part of their network is on our block list (S3140).",
     "reputation-block", 's'},
    {"connect",
     "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
     "reputation-block", 's'},
    {"connect", "550 You are blacklisted", "reputation-block", 's'},
    {"rcpt",
     "550 JunkMail rejected - mail.example.com [192.0.2.1] is in an RBL: "
     "https://www.spamhaus.org/query/ip/192.0.2.1",
     "reputation-block", 's'},
    {"connect",
     "554 5.7.1 Adresse IP bloqu\xC3\xA9"
     "e pour incident de spam",
     "reputation-block", 's'},
    {"connect", "554 Ihre IP-Adresse steht auf einer schwarzen Liste", "reputation-block", 's'},
    {"connect", "554 Su direcci\xC3\xB3n IP est\xC3\xA1 en una lista negra", "reputation-block", 's'},
    {"connect", "550 Seu IP est\xC3\xA1 bloqueado por m\xC3\xA1 reputa\xC3\xA7\xC3\xA3o", "reputation-block",
     's'},
    {"connect", "550 Ваш IP адрес в черном списке", "reputation-block", 's'},
    {"connect", "554 送信元IPアドレスがブロックされています", "reputation-block", 's'},
    {"connect", "554 您的IP地址在黑名单中", "reputation-block", 's'},
    {"connect", "554", "reputation-block", 's'},
    {"connect", "521 mail.example.com does not accept connections from your network", "reputation-block",
     's'},
    {"connect", "554 INTERNET-BLOCK your server has been sending spam", "reputation-block", 's'},
    {"mail", "550 5.7.606 Access denied, banned sending IP [192.0.2.1].", "reputation-block", 's'},
    {"connect", "554 IP 192.0.2.1 is blocked by EarthLink. Go to earthlink.net/block for details.",
     "reputation-block", 's'},
    {"connect", "550 Blocked by CSI: http://csi.cloudmark.com/reset-request/?ip=192.0.2.1",
     "reputation-block", 's'},
    {"connect", "571 Email from 192.0.2.1 is currently blocked by Verizon Online's anti-spam system.",
     "reputation-block|content-rejected", 's'},
    {"connect", "554 mx.example.net bizsmtp Connection rejected. Reverse DNS for 192.0.2.1 failed. IB108",
     "sender-rejected", 's'},
    /* ---- policy ---- */
    {"rcpt", "550 5.7.1 Message rejected due to local policy", "policy-block", 's'},
    {"data", "554 5.7.9 Message not accepted for policy reasons.", "policy-block", 's'},
    {"data", "550 Nachricht wegen einer Richtlinie abgelehnt", "policy-block|content-rejected", 's'},
    {"mail", "530 5.7.0 Authentication required", "policy-block", 's'},
    {"connect", "554 5.7.1 Access denied", "policy-block|reputation-block", 's'},
    {"data", "550 Rejected by mimecast policy: https://community.mimecast.com/docs/DOC-1369#550",
     "policy-block", 's'},
    {"connect",
     "554-gmx.net (mxgmx001) Nemesis ESMTP Service not available\\n554-No SMTP service\\n554 policy "
     "restrictions",
     "policy-block|reputation-block", 's'},
    {"data", "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy",
     "policy-block", 's'},
    /* ---- relaying ---- */
    {"rcpt", "554 5.7.1 <anna@example.com>: Relay access denied", "relay-denied", 's'},
    {"rcpt", "550 relay not permitted", "relay-denied", 's'},
    {"rcpt", "550 5.7.1 Unable to relay", "relay-denied", 's'},
    {"rcpt", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "relay-denied", 's'},
    {"rcpt", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "relay-denied", 's'},
    {"rcpt", "550 We do not relay mail", "relay-denied", 's'},
    {"rcpt", "550 Relaying mail to anna@example.com is not allowed", "relay-denied", 's'},
    {"rcpt", "550 Relais interdit", "relay-denied", 's'},
    {"rcpt", "550 Weiterleitung nicht erlaubt", "relay-denied", 's'},
    {"rcpt", "550 Пересылка запрещена, relay denied", "relay-denied", 's'},
    {"rcpt", "550 中継は拒否されました", "relay-denied", 's'},
    /* ---- rates ---- */
    {"connect", "421 4.7.0 Too many connections from your host", "rate-limited", 's'},
    {"connect", "421 Too many concurrent SMTP connections", "rate-limited", 's'},
    {"connect",
     "421 mx1.orange.fr Trop de connexions, veuillez verifier votre configuration. Too many connections, "
     "slow down. OFR005_104 [104]",
     "rate-limited", 's'},
    {"rcpt", "452 4.5.3 Too many recipients", "rate-limited", 's'},
    {"mail", "421 4.7.0 Max message per connection reached", "rate-limited", 's'},
    {"mail", "450 4.7.1 Error: too much mail from 192.0.2.1", "rate-limited", 's'},
    {"rcpt",
     "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional "
     "messages from being delivered.",
     "rate-limited", 's'},
    {"mail", "451 4.7.1 Throttled: sending rate exceeded", "rate-limited", 's'},
    {"connect", "421 4.3.2 Rate limited, please slow down", "rate-limited", 's'},
    {"mail", "550 Domain frequency limited. http://service.mail.qq.com", "rate-limited", 's'},
    {"data", "550 RP:ORQ 163 mx10,daily quota", "rate-limited", 's'},
    {"mail", "553 VS98-IP0 deferred (#4.16.51)", "rate-limited", 's'},
    {"rcpt", "421 RL000003 comcast rate limit", "rate-limited", 's'},
    {"rcpt", "452 Too many invalid recipients in this session", "rate-limited", 's'},
    {"connect", "421 Zu viele Verbindungen", "rate-limited", 's'},
    {"connect", "421 Demasiadas conexiones simult\xC3\xA1neas", "rate-limited", 's'},
    {"connect",
     "421 Muitas conex\xC3\xB5"
     "es deste IP",
     "rate-limited", 's'},
    {"connect", "421 Слишком много соединений с вашего адреса", "rate-limited", 's'},
    {"connect", "421 接続数が多すぎます", "rate-limited", 's'},
    {"connect", "421 连接过多，请稍后再试", "rate-limited", 's'},
    {"data", "451 4.7.1 Daily sending limit exceeded", "rate-limited", 's'},
    /* ---- greylisting ---- */
    {"rcpt",
     "450 4.2.0 <anna@example.com>: Recipient address rejected: Greylisted, see "
     "http://postgrey.schweikert.ch/help/example.com.html",
     "greylisted", 's'},
    {"rcpt", "451 4.7.1 Greylisting in action, please come back in 00:04:52", "greylisted", 's'},
    {"rcpt", "451 Temporarily rejected, please try again in 300 seconds", "greylisted", 's'},
    {"rcpt", "450 You have been greylisted. Come back in 5 minutes.", "greylisted", 's'},
    {"rcpt", "451 灰名单，请稍后重试", "greylisted", 's'},
    {"rcpt", "450 グレイリストにより一時的に拒否しました", "greylisted", 's'},
    {"rcpt", "451 Серый список, повторите попытку через 5 минут", "greylisted", 's'},
    /* ---- the network ---- */
    {"-", "4.4.1 connect to mx.example.com[192.0.2.1]:25: Connection timed out", "network-failure", 's'},
    {"-", "lost connection with mx.example.com[192.0.2.1] while receiving the initial server greeting",
     "network-failure", 's'},
    {"data", "554 5.4.0 Error: too many hops", "network-failure", 's'},
    {"-", "550 5.4.300 Message expired -> 421 4.4.0 Remote server response was not RFC conformant",
     "network-failure", 's'},
    {"data", "554 5.4.14 Hop count exceeded - possible mail loop", "network-failure", 's'},
    {"-", "Message could not be delivered for 5 days; retry timeout exceeded", "network-failure", 's'},
    {"data", "421 4.4.2 mx.example.com Error: timeout exceeded", "network-failure", 's'},
    {"-", "No route to host", "network-failure", 's'},
    {"-",
     "Zeit\xC3\xBC"
     "berschreitung bei der Verbindung",
     "network-failure", 's'},
    /* ---- their side ---- */
    {"connect", "421 4.3.2 Service not available, closing transmission channel", "remote-failure", 's'},
    {"mail", "452 4.3.1 Insufficient system storage", "remote-failure", 's'},
    {"data", "451 4.3.0 Error: queue file write error", "remote-failure", 's'},
    {"rcpt", "451 4.3.5 Server configuration error", "remote-failure", 's'},
    {"rcpt", "451 Temporary local problem - please try later", "remote-failure", 's'},
    {"data", "554 5.3.0 Internal error processing message", "remote-failure", 's'},
    {"ehlo", "454 4.7.0 TLS not available due to local problem", "remote-failure", 's'},
    {"mail", "530 5.7.0 Must issue a STARTTLS command first", "remote-failure", 's'},
    {"data", "503 5.5.1 Bad sequence of commands", "remote-failure", 's'},
    {"ehlo", "500 5.5.1 Command unrecognized", "remote-failure", 's'},
    {"rcpt", "451 4.3.0 <anna@example.com>: Temporary lookup failure", "remote-failure|network-failure", 's'},
    {"rcpt", "451 4.7.500 Server busy. Please try again later from [192.0.2.1].", "remote-failure", 's'},
    {"data", "451 Внутренняя ошибка сервера", "remote-failure", 's'},
    {"data", "451 システムエラーが発生しました", "remote-failure", 's'},
    {"data", "451 系统繁忙，请稍后再试", "remote-failure", 's'},
    {"data", "554 5.3.5 mail for example.com loops back to myself (MX problem)", "remote-failure", 's'},
    {"connect", "421", "remote-failure", 's'},
    /* ---- nothing said ---- */
    {"rcpt", "450", "undetermined", 's'},
    {"data", "451 please try again later", "undetermined", 's'},
    {"-", "550", "undetermined", 's'},
    {"-", "delivery failed", "undetermined", 's'},
    {"rcpt", "499 hmm", "undetermined", 's'},
    /* what cannot be read: by its codes alone */
    {"rcpt", "550 5.1.1 \xD3\xC3\xBB\xA7\xB2\xBB\xB4\xE6\xD4\xDA", "invalid-recipient", 'h'},
    {"rcpt", "550 \xD3\xC3\xBB\xA7\xB2\xBB\xB4\xE6\xD4\xDA", "recipient-refused", 's'},
    {"data", "554 \x1B$B%f!<%6!<$,B8:_$7$^$;$s\x1B(B", "content-rejected", 's'},
    {"rcpt", "550 \x1B$B%f!<%6!<\x1B(B user unknown", "invalid-recipient", 'h'},
    {"data", "250 2.0.0 Ok: queued as 4WxYz", "delivered", 'n'},
};

static bool among(struct slice list, struct slice name) {
    struct slice one;
    while (slice_cut(&list, '|', &one))
        if (slice_eq(one, name)) return true;
    return false;
}

static void test_rows(void **state) {
    (void)state;
    unsigned wrong = 0;
    assert_true(sizeof rows / sizeof *rows >= 250);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        char text[1024];
        struct classify_input in = {0};
        snprintf(text, sizeof text, "%s", row->reply);
        for (char *at; (at = strstr(text, "\\n"));)
            at[0] = at[1] = ' ';
        assert_true(classify_stage_by_name(slice_of(row->stage), &in.stage));
        classify_read(slice_of(text), &in);
        struct classify_verdict v = classify(rules, &in);
        char hardness = classify_hardness_name(v.hardness)[0];
        bool right = among(slice_of(row->class), slice_of(classify_name(v.class))) &&
                     (row->hardness == '?' || row->hardness == hardness);
        if (right) continue;
        wrong++;
        print_error("at %s: %s\n    expected %s %c, got %s %c by '%s'\n", row->stage, row->reply, row->class,
                    row->hardness, classify_name(v.class), hardness, v.rule);
    }
    if (wrong) fail_msg("%u of %zu replies were read wrong", wrong, sizeof rows / sizeof *rows);
}

/* Whatever the words: what is temporary is never hard, and what is not hard is not suppressed at once. */
static void test_never_hard(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int stage = 0; stage < CLASSIFY_STAGES; stage++)
            for (int code = 400; code < 500; code += 7) {
                struct classify_input in = {.stage = (enum classify_stage)stage,
                                            .code = code,
                                            .text = slice_skip(slice_of(rows[i].reply), 4)};
                struct classify_verdict v = classify(rules, &in);
                assert_int_not_equal(v.hardness, CLASSIFY_HARD);
                assert_int_not_equal(v.action, CLASSIFY_SUPPRESS_NOW);
                assert_int_not_equal(v.action, CLASSIFY_SUPPRESS_AFTER_N);
                assert_false(v.permanent);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_never_hard)};
    struct err err;
    rules = classify_rules_load(NULL, &err);
    if (!rules) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    classify_rules_free(rules);
    return failed;
}
