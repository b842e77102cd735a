#!/usr/bin/python3
"""Writes charset_table.inc: what ISO-2022-JP can carry, and what may stand for what it can't.

    charset_table.py >charset_table.inc

JIS X 0208 is as Python's codec iso2022_jp has it. Substitutes are chosen here where readers of Japanese expect
a certain one; all others follow from Unicode's compatibility decompositions. A substitute is made only of
characters that can be carried. A character that is not listed has none.
"""
import sys
import unicodedata

# One character for another that is read the same: variants of signs, of kanji in names, and the forms that
# JIS X 0213 made standard.
PAIRS = """
～〜 －− ∥‖ ￠¢ ￡£ ￢¬ —― –- ‑‐ ‒- ¥￥ ‾￣ ¦| ￤| •・ ‣・ ◦・ ▪■ ▫□ ∙・ ·・ ‚' „" ‹< ›> «《 »》 ⁄/ ∕/ ∼〜 ∑Σ ⊿△
〝“ 〟” ゔヴ ゙゛ ゚゜ ﾞ゛ ﾟ゜ ➡→ ⬅← ⬆↑ ⬇↓ ⚫● ⚪○ ✓レ đd ĐD ħh łl ŁL ıi ðd ÐD ŋn 髙高 﨑崎 德徳 濵浜 瀨瀬 增増
橫横 淸清 黑黒 曻昇 昻昂 栁柳 桒桑 緖緒 薰薫 賴頼 郞郎 鄕郷 閒間 靑青 冝宜 卽即 吞呑 咊和 尙尚 悅悦 敎教 曆暦
杦杉 綠緑 羡羨 鈆鉛 靏鶴 靍鶴 勛勲 曺曹 俠侠 內内 戶戸 步歩 每毎 頰頬 剝剥 塡填 嚙噛 焰焔 瘦痩 蟬蝉 繡繍 摑掴
搔掻 醬醤 麴麹 屛屏 蔣蒋 鷗鴎 瀆涜 簞箪 禱祷 繫繋 軀躯 鹼鹸 囊嚢 顚顛 噓嘘 潑溌 醱醗 𠮷吉 𠮟叱 寬寛 溫温 產産
彥彦 硏研 姬姫 晚晩 槪概 旣既 渴渇 倂併 屢屡 錄録 說説 脫脱 稅税 銳鋭 閱閲 吳呉 娛娯 鬭闘 强強
"""
TEXTS = {
    "№": "No.", "℡": "TEL", "©": "(C)", "®": "(R)", "™": "(TM)", "€": "EUR", "₩": "KRW", "₿": "BTC", "₽": "RUB",
    "℠": "(SM)", "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th",
    "㊤": "(上)", "㊥": "(中)", "㊦": "(下)", "㊧": "(左)", "㊨": "(右)", "¡": "!", "¿": "?", "ø": "o", "Ø": "O",
    "✔": "レ", "ヷ": "ヴァ", "ヸ": "ヴィ", "ヹ": "ヴェ", "ヺ": "ヴォ",
}
# Without a width of their own: left out. What switches character sets (SO, SI, ESC) must not come through.
NOTHING = ([0x0E, 0x0F, 0x1B, 0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF] + list(range(0x80, 0x85)) + list(range(0x86, 0xA0))
           + list(range(0x200B, 0x2010)) + list(range(0x202A, 0x202F)) + list(range(0x2060, 0x2070))
           + list(range(0xFE00, 0xFE10)) + list(range(0xE0100, 0xE01F0)))
SPACES = [0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F]
MOST = 8  # characters of a substitute


def jis():
    """Unicode to JIS X 0208, as two bytes in a number."""
    table = {}
    for high in range(0x21, 0x7F):
        for low in range(0x21, 0x7F):
            try:
                text = bytes([0x1B, 0x24, 0x42, high, low, 0x1B, 0x28, 0x42]).decode("iso2022_jp")
            except UnicodeDecodeError:
                continue
            table.setdefault(ord(text), high << 8 | low)
    return table


def carried(text, table):
    return all(ord(c) in table or ord(c) < 0x80 and ord(c) not in (0x0E, 0x0F, 0x1B) for c in text)


def derived(c, hand, table):
    """What Unicode has for it: its compatibility form, or its letter without the accents."""
    plain = unicodedata.normalize("NFKC", c)
    if unicodedata.decomposition(c).startswith("<circle>"):
        plain = "(" + plain + ")"
    plain = "".join(hand.get(p, p) for p in plain)
    if plain != c and carried(plain, table):
        return plain
    parts = [p for p in unicodedata.normalize("NFKD", c) if not unicodedata.combining(p)]
    letters = "".join(hand.get(p, p) for p in parts)
    return letters if letters and letters != c and carried(letters, table) else None


def substitutes(table):
    hand = {p[0]: p[1] for p in PAIRS.split() if len(p) == 2 and p[0] != p[1]}
    hand.update({k: v for k, v in TEXTS.items() if k != v})
    hand.update({chr(c): "" for c in NOTHING})
    hand.update({chr(c): " " for c in SPACES})
    hand["\x85"] = hand["\u2028"] = hand["\u2029"] = " "
    found = {}
    for code in [*range(0xD800), *range(0xE000, 0x20000), *range(0x2F800, 0x2FA20), *range(0xE0100, 0xE01F0), 0x20BB7, 0x20B9F]:
        c = chr(code)
        if carried(c, table):
            continue
        text = hand.get(c) if c in hand else derived(c, hand, table)
        if text is not None and carried(text, table):
            assert len(text) <= MOST or c not in hand, c
            if len(text) <= MOST:
                found[code] = text
    return found


def rows(values, form="%d", most=16):
    values = [form % v for v in values]
    return "".join("    " + ", ".join(values[i:i + most]) + ",\n" for i in range(0, len(values), most))


def main():
    table = jis()
    out = sys.stdout.write
    out("/* Made by charset_table.py. */\n")
    used = sorted({code >> 8 for code in table})
    numbers = {page: n for n, page in enumerate(used, 1)}
    out("/* Unicode's upper byte to a page of jis_codes; page 0 is empty. */\n")
    out("static const uint8_t jis_page[256] = {\n%s};\n" % rows([numbers.get(p, 0) for p in range(256)]))
    codes = [0] * 256 + [table.get(page << 8 | low, 0) for page in used for low in range(256)]
    out("static const uint16_t jis_codes[] = {\n%s};\n" % rows(codes, "0x%04X"))
    blob, near = b"", []
    for code, text in sorted(substitutes(table).items()):
        text = text.encode()
        at = blob.find(text)
        if at < 0:
            at = len(blob)
            blob += text
        near.append((code, at, len(text)))
    assert len(blob) < 65536
    out("static const char near_text[] = {\n%s};\n" % rows([b - 256 if b > 127 else b for b in blob]))
    out("static const struct near near_list[] = {\n%s};\n" % rows(near, "{0x%X, %d, %d}", 6))
    voiced = []
    for code in range(0x3041, 0x30FF):
        pair = [unicodedata.normalize("NFC", chr(code) + mark) for mark in "\u3099\u309A"]
        pair = [ord(p) if len(p) == 1 and ord(p) in table else 0 for p in pair]
        if any(pair):
            texts = ["".join("\\x%02X" % b for b in chr(p).encode()) if p else "" for p in pair]
            voiced.append((code, *pair, *texts))
    out("static const struct voiced voiced_list[] = {\n%s};\n" % rows(voiced, '{0x%X, 0x%X, 0x%X, "%s", "%s"}', 2))


main()
