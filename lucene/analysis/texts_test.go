package analysis_test

import (
	_ "embed"
	"math/rand/v2"
	"strings"
)

//go:embed stopwords.txt
var stopWordText string

var stopWords = strings.Fields(stopWordText)

var realTexts = []string{
	"The QUICK brown fox's jumping over lazy dogs' backs; isn't that relational, conditional and hopefulness?",
	"It was the best of times, it was the worst of times, it was the age of wisdom...",
	"Wi-Fi PowerShot500 SD500 O'Neil's 2.5GHz i-phone XL500-42B 3,000.50 a.b.c U.S.A. AT&T user.name+tag@example.com http://www.example.com/path?q=1",
	"Die Häuser und Straßen der größten Städte, Äpfel, Fußbälle und Möglichkeiten waren schöner. Mueller, Maß",
	"L'été dernier, j'ai mangé des gâteaux délicieux à l'école nationale; qu'est-ce que c'est? Les chevaux heureuses finissaient rapidement",
	"El niño comió las manzanas rápidamente, veces y luces en las ciudades españolas más bonitas",
	"Gli amici dell'università mangiavano velocemente; l'acqua è fredda, città belle e farmacie",
	"As ações dos cidadãos brasileiros são importantes: coração, pães, felizmente, irmãs, portuguesas",
	"Быстрая коричневая лиса прыгает через ленивую собаку, которые были очень красивыми",
	"De snelle bruine vossen springen over de luie honden in de bibliotheken; fiets kind ei lichamelijke",
	"Hurtige brune ræve hopper over dovne hunde; bibliotekerne, undersøgelser og øjeblikke",
	"Nopeat ruskeat ketut hyppäsivät laiskojen koirien yli kirjastoissamme talossakin",
	"A gyors barna rókák átugrották a lusta kutyákat a könyvtárakban",
	"De raske brune revene hopper over late hunder, bibliotekene og øynene",
	"Vulpile brune rapide săreau peste câinii leneși; bibliotecilor, națiunilor frumoase",
	"Snabba bruna rävar hoppade över lata hundar; biblioteken och flickornas jaktkarlens",
	"Hızlı kahverengi tilkiler tembel köpeklerin üzerinden atladı; İSTANBUL'un kitapları IŞIK",
	"Tá na sionnaigh donna ag léim thar na madraí leisciúla; an tAthair, nAthair h-Éireann b'fhearr",
	"東京都は日本の首都です。カタカナとひらがな、ﾊﾝｶｸｶﾀｶﾅﾞ ＦＵＬＬ　ｗｉｄｔｈ１２３",
	"한국어 텍스트를 분석합니다 그리고 中文字符 mixed with English",
	"ภาษาไทยเป็นภาษาที่สวยงาม ພາສາລາວ မြန်မာဘာသာ ភាសាខ្មែរ",
	"הכלבים רצו מהר ש\"ס צ'ק ב'ל", "الكلاب تجري بسرعة كبيرة في الحديقة", "हिन्दी में पाठ का विश्लेषण १२३",
	"emoji 👍🏽 👩‍👩‍👧‍👦 🇩🇪🇫🇷🇺 1️⃣ #️⃣ *⃣ ❤️ ☺︎ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 © ™ 〰 ㊗ ℹ️ Ⓜ️ 🅰b",
	"", " ", "a", "_", "foo_bar __x__ a_1 1_a _1_", "can't wouldn't John's JOHN'S dogs’ cats＇s", "1.2.3 1,2,3 1;2 a.1 1.a a:b a·b 1'2 x\"y",
	"/usr/local/lib/a.so", "a/b//c/", "//x", "one,two;three four", "camelCaseWord XMLHttpRequest j2se SuperDuperLongWordThatIs99Percent",
	"ﬁ æ Œ ß Ĳ ŉ ǆ ⑴ ⓐ ａ½ ² № ℃", "new york city is the big apple usa", "fast car domain name system dns wi fi router united states of america",
}

// runeRanges have no characters that came after Unicode 13, as U+061D did: Java 17, which may run the real node, does not know them.
var runeRanges = [][2]rune{{0x20, 0x7E}, {0xA0, 0x24F}, {0x250, 0x36F}, {0x374, 0x3FF}, {0x400, 0x4FF}, {0x531, 0x556}, {0x5D0, 0x5F4}, {0x600, 0x61C}, {0x61E, 0x6FF},
	{0x900, 0x97F}, {0xE01, 0xE5B}, {0xE81, 0xECD}, {0x1000, 0x109F}, {0x1780, 0x17F9}, {0x1100, 0x11FF}, {0x1E00, 0x1FFE}, {0x2000, 0x206F}, {0x2070, 0x209C},
	{0x20A0, 0x20BF}, {0x20D0, 0x20F0}, {0x2100, 0x218B}, {0x2190, 0x23FF}, {0x2460, 0x24FF}, {0x2600, 0x27BF}, {0x3000, 0x30FF}, {0x3105, 0x312D}, {0x3130, 0x318E},
	{0x3200, 0x33FF}, {0x3400, 0x4DB5}, {0x4E00, 0x9FD5}, {0xA000, 0xA48C}, {0xAC00, 0xD7A3}, {0xF900, 0xFAD9}, {0xFB00, 0xFB4F}, {0xFE00, 0xFE0F}, {0xFE30, 0xFE6B},
	{0xFF01, 0xFFEE}, {0x10400, 0x1044F}, {0x10330, 0x1034A}, {0x1D400, 0x1D7FF}, {0x1F1E6, 0x1F1FF}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6C5}, {0x20000, 0x20050}, {0xE0020, 0xE007F}}

const special = "abAB019 '\"_.,:;-/#*\u00ad\u200d\u200d\ufe0f\ufe0e\u20e3\u0301\u05d0\u30a2\u3042\u6f22\ud55c\u0e01\u0e31👍👩🏽🇩🇪©Ⓜ\u2019&@\u3000\t\n"

// randomText makes a text of one of several kinds.
func randomText(r *rand.Rand) string {
	switch r.IntN(9) {
	case 0, 1:
		return realTexts[r.IntN(len(realTexts))]
	case 2: // words of the real texts, shuffled
		var b strings.Builder
		for n := r.IntN(12); n >= 0; n-- {
			words := strings.Fields(realTexts[r.IntN(len(realTexts))])
			if len(words) > 0 {
				b.WriteString(words[r.IntN(len(words))])
				b.WriteByte(" \t-_/,"[r.IntN(6)])
			}
		}
		return b.String()
	case 3: // any characters
		var b strings.Builder
		for n := r.IntN(30); n > 0; n-- {
			rg := runeRanges[r.IntN(len(runeRanges))]
			b.WriteRune(rg[0] + rune(r.IntN(int(rg[1]-rg[0])+1)))
		}
		return b.String()
	case 4, 5: // characters at which rules turn
		rs := []rune(special)
		var b strings.Builder
		for n := r.IntN(25); n > 0; n-- {
			b.WriteRune(rs[r.IntN(len(rs))])
		}
		return b.String()
	case 8: // words of the stop lists of all languages, with endings of others
		var b strings.Builder
		for n := r.IntN(15); n >= 0; n-- {
			b.WriteString(stopWords[r.IntN(len(stopWords))])
			if w := []rune(stopWords[r.IntN(len(stopWords))]); r.IntN(2) == 0 {
				b.WriteString(string(w[len(w)/2:]))
			}
			b.WriteByte(' ')
		}
		return b.String()
	case 6: // one script, long
		rg := runeRanges[r.IntN(len(runeRanges))]
		var b strings.Builder
		for n := r.IntN(400); n > 0; n-- {
			b.WriteRune(rg[0] + rune(r.IntN(min(20, int(rg[1]-rg[0])+1))))
			if r.IntN(40) == 0 {
				b.WriteByte(' ')
			}
		}
		return b.String()
	}
	var b strings.Builder // words of random letters, cases and digits
	for n := r.IntN(10); n >= 0; n-- {
		for k := r.IntN(9); k >= 0; k-- {
			b.WriteByte("abcdeinrstABCST0129"[r.IntN(19)])
		}
		b.WriteString([]string{" ", "-", "'s ", ".", "_", ", ", "  ", "'"}[r.IntN(8)])
	}
	return b.String()
}
