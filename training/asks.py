"""Generated requests: the classes and languages that the shared requests lack, from a seed.

The shared set has no translation rows, few chat and writing rows, tools in English only, and word problems in English and
Chinese only. This file fills templates of our own (no outside text) in sixteen languages. Their variety is small: they
teach what an ask looks like, not what people ask. Test rows must come from elsewhere.

    python -c "from training.asks import generate; print(next(iter(generate(seed=3, count=10))))"
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Ask(NamedTuple):
    """One generated request. `depth` None means that the template says nothing about it."""

    text: str
    domain: str
    language: str
    depth: float | None
    tools: tuple[str, ...] = ()


MATH: dict[str, tuple[str, ...]] = {
    "en": (
        "{n} has {a} {o} and buys {b} more. After giving away {c}, how many {o} are left?",
        "A train covers {a} km in {b} hours. How far does it go in {c} hours at the same speed?",
        "{n} earns ${a} an hour and works {b} hours a day. How much does {n} earn in {c} days?",
        "What is {a}% of {b}?", "Compute {a} * {b} - {c}.", "{a} + {b} = ?", "Solve {b}x + {c} = {a} for x.",
        "A shirt costs {a} dollars after a {b}% discount. What was the original price?",
        "In a bag there are {a} red and {b} blue balls. What is the probability of drawing two red ones?",
        "Prove that the sum of two odd numbers is even.", "Find the derivative of x^{b} + {c}x.",
        "whats {a} times {b}", "split {a} between {b} people, how much each?", "Show that sqrt({b}) is irrational.",
    ),
    "zh": ("{n}有{a}个{o}，又买了{b}个，送给朋友{c}个，还剩多少个？", "一列火车{b}小时行驶{a}千米，{c}小时行驶多少千米？", "{a}的{b}%是多少？",
           "计算 {a}×{b}-{c}", "解方程 {b}x+{c}={a}", "一件衣服打{b}折后卖{a}元，原价是多少元？", "求函数 f(x)=x^{b}+{c}x 的导数", "证明两个奇数之和是偶数。"),
    "es": ("{n} tiene {a} {o} y compra {b} más. Si regala {c}, ¿cuántas {o} le quedan?", "Un tren recorre {a} km en {b} horas. ¿Cuántos km recorre en {c} horas?",
           "¿Cuánto es el {b}% de {a}?", "Calcula {a} x {b} - {c}.", "Resuelve la ecuación {b}x + {c} = {a}.", "Una camisa cuesta {a} euros con un descuento del {b}%. ¿Cuál era el precio original?"),
    "fr": ("{n} a {a} {o} et en achète {b} de plus. Après en avoir donné {c}, combien lui en reste-t-il ?", "Un train parcourt {a} km en {b} heures. Quelle distance parcourt-il en {c} heures ?",
           "Combien font {b} % de {a} ?", "Calcule {a} x {b} - {c}.", "Résous l'équation {b}x + {c} = {a}.", "{n} gagne {a} euros par heure et travaille {b} heures par jour. Combien gagne-t-il en {c} jours ?"),
    "de": ("{n} hat {a} {o} und kauft {b} dazu. Wie viele bleiben, wenn {n} {c} verschenkt?", "Ein Zug fährt {a} km in {b} Stunden. Wie weit fährt er in {c} Stunden?",
           "Wie viel sind {b} % von {a}?", "Berechne {a} * {b} - {c}.", "Löse die Gleichung {b}x + {c} = {a}.", "Ein Hemd kostet nach {b} % Rabatt {a} Euro. Was war der ursprüngliche Preis?"),
    "pt": ("{n} tem {a} {o} e compra mais {b}. Depois de dar {c}, com quantas fica?", "Um trem percorre {a} km em {b} horas. Quantos km percorre em {c} horas?",
           "Quanto é {b}% de {a}?", "Calcule {a} x {b} - {c}.", "Resolva a equação {b}x + {c} = {a}.", "{n} ganha {a} reais por hora e trabalha {b} horas por dia. Quanto ganha em {c} dias?"),
    "it": ("{n} ha {a} {o} e ne compra altre {b}. Se ne regala {c}, quante ne restano?", "Un treno percorre {a} km in {b} ore. Quanti km percorre in {c} ore?",
           "Quanto fa il {b}% di {a}?", "Calcola {a} x {b} - {c}.", "Risolvi l'equazione {b}x + {c} = {a}."),
    "ru": ("У {n} было {a} яблок, купили ещё {b}, а {c} отдали. Сколько яблок осталось?", "Поезд проходит {a} км за {b} часа. Сколько километров он пройдёт за {c} часов?",
           "Сколько будет {b}% от {a}?", "Вычисли {a} * {b} - {c}.", "Реши уравнение {b}x + {c} = {a}.", "Рубашка стоит {a} рублей после скидки {b}%. Какой была цена?"),
    "ja": ("{n}さんはりんごを{a}個持っていて、{b}個買い、{c}個あげました。残りは何個ですか？", "電車は{b}時間で{a}km進みます。{c}時間では何km進みますか？", "{a}の{b}%はいくつですか？",
           "{a}×{b}-{c}を計算してください。", "方程式 {b}x+{c}={a} を解いてください。", "1個{b}円のパンを{c}個買い、{a}円を出しました。おつりはいくらですか。"),
    "ko": ("{n}은 사과 {a}개를 가지고 있고 {b}개를 더 산 뒤 {c}개를 나눠 주었습니다. 몇 개가 남았습니까?", "기차가 {b}시간 동안 {a}km를 갑니다. {c}시간 동안 몇 km를 갑니까?",
           "{a}의 {b}%는 얼마입니까?", "{a} × {b} - {c}를 계산하세요.", "방정식 {b}x + {c} = {a}를 풀어라."),
    "ar": ("لدى {n} {a} تفاحة واشترى {b} أخرى ثم أعطى {c}. كم تفاحة بقيت؟", "يقطع قطار {a} كم في {b} ساعات. كم يقطع في {c} ساعات؟", "كم يساوي {b}% من {a}؟", "احسب {a} × {b} - {c}.", "حل المعادلة {b}x + {c} = {a}."),
    "hi": ("{n} के पास {a} सेब हैं और वह {b} और खरीदता है। {c} बाँटने के बाद कितने बचे?", "एक रेलगाड़ी {b} घंटे में {a} किमी चलती है। {c} घंटे में कितनी दूर जाएगी?", "{a} का {b}% कितना होता है?", "{a} × {b} - {c} की गणना करें।"),
    "vi": ("{n} có {a} quả táo, mua thêm {b} quả và cho đi {c} quả. Hỏi còn lại bao nhiêu quả?", "Một đoàn tàu đi {a} km trong {b} giờ. Hỏi trong {c} giờ tàu đi được bao nhiêu km?", "{b}% của {a} là bao nhiêu?", "Tính {a} x {b} - {c}.", "Giải phương trình {b}x + {c} = {a}."),
    "tr": ("{n}'nin {a} elması var, {b} tane daha alıyor ve {c} tanesini veriyor. Kaç elma kalır?", "Bir tren {b} saatte {a} km gidiyor. {c} saatte kaç km gider?", "{a} sayısının %{b}'i kaçtır?", "{a} x {b} - {c} işlemini hesapla."),
    "id": ("{n} punya {a} apel dan membeli {b} lagi. Setelah memberikan {c}, berapa apel yang tersisa?", "Sebuah kereta menempuh {a} km dalam {b} jam. Berapa km dalam {c} jam?", "Berapa {b}% dari {a}?", "Hitung {a} x {b} - {c}."),
    "th": ("{n}มีแอปเปิล {a} ผล ซื้อเพิ่มอีก {b} ผล แล้วแจกไป {c} ผล เหลือกี่ผล", "รถไฟวิ่ง {a} กม. ใน {b} ชั่วโมง ใน {c} ชั่วโมงวิ่งได้กี่กิโลเมตร", "{b}% ของ {a} เท่ากับเท่าไร", "คำนวณ {a} x {b} - {c}"),
    "sw": ("{n} ana maembe {a} na ananunua mengine {b}. Akigawa {c}, anabaki na maembe mangapi?", "Treni husafiri km {a} kwa saa {b}. Itasafiri km ngapi kwa saa {c}?", "Asilimia {b} ya {a} ni ngapi?"),
    "pl": ("{n} ma {a} jabłek i kupuje jeszcze {b}. Ile zostanie, jeśli odda {c}?", "Pociąg przejeżdża {a} km w {b} godzin. Ile km przejedzie w {c} godzin?", "Ile to jest {b}% z {a}?"),
}  # fmt: skip

CODE: dict[str, tuple[str, ...]] = {
    "en": ("Write a {l} function that {t}.", "How do I {t2} in {l}?", "Why does this {l} code fail?\n{s}", "Refactor this:\n```\n{s}\n```", "Explain what this code does:\n{s}",
           "Write a SQL query that returns the top {b} customers by revenue.", "bash one-liner to count lines in all .py files", "Fix the bug:\n{s}", "Add unit tests for\n{s}", "I get {e} when running my {l} script. What does it mean?",
           "Write a Dockerfile for a {l} web app.", "regex that matches an email address", "How do I undo the last git commit?", "Write a {l} class for a bank account with deposit and withdraw.", "{s}"),
    "zh": ("用{l}写一个函数，{tz}。", "这段{l}代码为什么报错？\n{s}", "解释下面的代码：\n{s}", "写一条SQL查询，返回销售额最高的{b}个客户。", "如何用{l}读取CSV文件？", "运行时出现 {e}，怎么解决？", "写一个正则表达式匹配手机号"),
    "es": ("Escribe una función en {l} que ordene una lista.", "¿Por qué falla este código de {l}?\n{s}", "Explica qué hace este código:\n{s}", "¿Cómo leo un archivo CSV en {l}?"),
    "fr": ("Écris une fonction en {l} qui trie une liste.", "Pourquoi ce code {l} ne marche-t-il pas ?\n{s}", "Explique ce que fait ce code :\n{s}", "Comment lire un fichier CSV en {l} ?"),
    "de": ("Schreibe eine Funktion in {l}, die eine Liste sortiert.", "Warum funktioniert dieser {l}-Code nicht?\n{s}", "Erkläre, was dieser Code macht:\n{s}", "Wie lese ich in {l} eine CSV-Datei ein?"),
    "pt": ("Escreva uma função em {l} que ordene uma lista.", "Por que este código {l} não funciona?\n{s}", "Como leio um arquivo CSV em {l}?"),
    "it": ("Scrivi una funzione in {l} che ordina una lista.", "Perché questo codice {l} non funziona?\n{s}", "Come leggo un file CSV in {l}?"),
    "ru": ("Напиши функцию на {l}, которая сортирует список.", "Почему не работает этот код на {l}?\n{s}", "Как прочитать CSV-файл в {l}?"),
    "ja": ("{l}でリストをソートする関数を書いてください。", "この{l}のコードはなぜ動かないのですか？\n{s}", "{l}でCSVファイルを読み込むには？"),
    "ko": ("{l}로 리스트를 정렬하는 함수를 작성해 줘.", "이 {l} 코드가 왜 작동하지 않나요?\n{s}", "{l}에서 CSV 파일을 읽는 방법은?"),
    "ar": ("اكتب دالة بلغة {l} ترتب قائمة.", "لماذا لا يعمل هذا الكود؟\n{s}", "كيف أقرأ ملف CSV في {l}؟"),
    "hi": ("{l} में एक फ़ंक्शन लिखें जो सूची को क्रमबद्ध करे।", "यह {l} कोड काम क्यों नहीं कर रहा है?\n{s}"),
    "vi": ("Viết một hàm {l} để sắp xếp một danh sách.", "Tại sao đoạn mã {l} này không chạy?\n{s}", "Làm sao đọc tệp CSV trong {l}?"),
    "tr": ("Bir listeyi sıralayan bir {l} fonksiyonu yaz.", "Bu {l} kodu neden çalışmıyor?\n{s}"), "id": ("Tulis fungsi {l} yang mengurutkan daftar.", "Mengapa kode {l} ini tidak berjalan?\n{s}"),
    "th": ("เขียนฟังก์ชัน {l} สำหรับเรียงลำดับรายการ", "ทำไมโค้ด {l} นี้ถึงไม่ทำงาน\n{s}"), "pl": ("Napisz funkcję w {l}, która sortuje listę.", "Dlaczego ten kod {l} nie działa?\n{s}"),
}  # fmt: skip

REASONING: dict[str, tuple[str, ...]] = {
    "en": ("{p}, {q} and {r} sit in a row. {p} is left of {q}. {r} is right of {q}. Who sits in the middle?",
           "{p} says: {q} always lies. {q} says: {r} tells the truth. {r} says: {p} lies. Exactly one of them lies. Who is it?",
           "{p} has a red ball, {q} a blue ball, {r} a green ball. {p} and {q} swap. Then {q} and {r} swap. Which ball does {p} have?",
           "All {x} are {y}. Some {y} are {z}. Does it follow that some {x} are {z}?", "{p} is older than {q}. {r} is younger than {q}. Who is the youngest?",
           "If it rains, {p} stays home. {p} did not stay home. Did it rain? Explain your deduction.", "You face north, turn left, walk ahead, turn left again and turn around. Which way do you face?",
           "Three houses in a row are red, blue and white. {p} does not live in the red house. {q} lives next to the white one. {r} lives in the last. Who lives where?",
           "{p} finished before {q} but after {r}. {s3} finished last. In which order did they finish?", "Is this argument valid? All {x} are {y}. {p} is a {y}. Therefore {p} is a {x}.",
           "Yesterday was two days after Monday. What day is tomorrow?"),
    "zh": ("{p}、{q}和{r}坐成一排。{p}在{q}的左边，{r}在{q}的右边。谁坐在中间？", "{p}说{q}在撒谎，{q}说{r}说的是真话，{r}说{p}在撒谎。只有一个人撒谎，是谁？", "所有的{xz}都是{yz}，有些{yz}是{zz}，能推出有些{xz}是{zz}吗？", "{p}比{q}大，{r}比{q}小，谁最小？"),
    "es": ("{p}, {q} y {r} están sentados en fila. {p} está a la izquierda de {q} y {r} a su derecha. ¿Quién está en el centro?", "{p} dice que {q} miente. {q} dice que {r} dice la verdad. Solo uno miente. ¿Quién es?", "{p} es mayor que {q}. {r} es menor que {q}. ¿Quién es el menor?"),
    "fr": ("{p}, {q} et {r} sont assis en ligne. {p} est à gauche de {q}, {r} est à droite de {q}. Qui est au milieu ?", "{p} dit que {q} ment. {q} dit que {r} dit la vérité. Un seul ment. Qui est-ce ?"),
    "de": ("{p}, {q} und {r} sitzen in einer Reihe. {p} sitzt links von {q}, {r} rechts von {q}. Wer sitzt in der Mitte?", "{p} sagt, dass {q} lügt. {q} sagt, dass {r} die Wahrheit sagt. Genau einer lügt. Wer ist es?", "{p} ist älter als {q}. {r} ist jünger als {q}. Wer ist am jüngsten?"),
    "pt": ("{p}, {q} e {r} estão sentados em fila. {p} está à esquerda de {q} e {r} à direita. Quem está no meio?", "{p} é mais velho que {q}. {r} é mais novo que {q}. Quem é o mais novo?"),
    "ru": ("{p}, {q} и {r} сидят в ряд. {p} слева от {q}, {r} справа от {q}. Кто сидит посередине?", "{p} старше, чем {q}. {r} младше, чем {q}. Кто самый младший?"),
    "ja": ("{p}、{q}、{r}が一列に座っています。{p}は{q}の左、{r}は{q}の右にいます。真ん中は誰ですか？", "{p}は{q}より年上で、{r}は{q}より年下です。一番若いのは誰ですか？"),
    "ko": ("{p}, {q}, {r}가 한 줄로 앉아 있습니다. {p}는 {q}의 왼쪽, {r}는 {q}의 오른쪽에 있습니다. 가운데는 누구입니까?",), "ar": ("{p} أكبر من {q}، و{r} أصغر من {q}. من الأصغر؟", "يجلس {p} و{q} و{r} في صف. {p} على يسار {q} و{r} على يمينه. من في الوسط؟"),
    "hi": ("{p} {q} से बड़ा है और {r} {q} से छोटा है। सबसे छोटा कौन है?",), "vi": ("{p} lớn tuổi hơn {q}. {r} nhỏ tuổi hơn {q}. Ai nhỏ tuổi nhất?",), "it": ("{p} è più vecchio di {q}. {r} è più giovane di {q}. Chi è il più giovane?",),
}  # fmt: skip

KNOWLEDGE: dict[str, tuple[str, ...]] = {
    "en": ("What is the capital of {k}?", "Who discovered {g}?", "Explain how {g} works.", "What is the difference between {g} and {g2}?", "When did the {h} begin?", "Why is {g} important?", "Give me a short overview of the {h}.",
           "What are the symptoms of {d}?", "Who invented programming languages and why?", "What is the history of mathematics in {k}?", "Which of the following is a cause of the {h}?\nA. trade\nB. famine\nC. religion\nD. all of these", "How many moons does Mars have?", "In which year did the {h} end?"),
    "zh": ("{kz}的首都是哪里？", "什么是{gz}？", "请介绍一下{gz}的历史。", "谁发现了{gz}？", "{gz}和{gz2}有什么区别？"),
    "es": ("¿Cuál es la capital de {k}?", "¿Quién descubrió la penicilina?", "¿Cómo funciona la fotosíntesis?", "¿En qué año terminó la guerra?"), "fr": ("Quelle est la capitale de {k} ?", "Comment fonctionne la photosynthèse ?", "Qui a découvert la pénicilline ?"),
    "de": ("Was ist die Hauptstadt von {k}?", "Wie funktioniert die Photosynthese?", "Wer hat das Penicillin entdeckt?", "Wann endete der Krieg?"), "pt": ("Qual é a capital de {k}?", "Como funciona a fotossíntese?", "Quem descobriu o Brasil e quando?"),
    "it": ("Qual è la capitale di {k}?", "Come funziona la fotosintesi?"), "ru": ("Какая столица у страны {k}?", "Как работает фотосинтез?", "Кто открыл пенициллин?"), "ja": ("{k}の首都はどこですか？", "光合成の仕組みを説明してください。", "ペニシリンを発見したのは誰ですか？"),
    "ko": ("{k}의 수도는 어디입니까?", "광합성은 어떻게 작동하나요?", "세종대왕은 누구인가요?"), "ar": ("ما هي عاصمة {k}؟", "كيف تعمل عملية البناء الضوئي؟"), "hi": ("{k} की राजधानी क्या है?", "प्रकाश संश्लेषण कैसे होता है?"), "vi": ("Thủ đô của {k} là gì?", "Quang hợp hoạt động như thế nào?"),
    "tr": ("{k} ülkesinin başkenti neresidir?", "Fotosentez nasıl çalışır?"), "id": ("Apa ibu kota {k}?", "Bagaimana cara kerja fotosintesis?"), "th": ("เมืองหลวงของ {k} คืออะไร", "การสังเคราะห์ด้วยแสงทำงานอย่างไร"), "pl": ("Jaka jest stolica {k}?", "Jak działa fotosynteza?"), "sw": ("Mji mkuu wa {k} ni upi?",),
}  # fmt: skip

EXTRACTION: dict[str, tuple[str, ...]] = {
    "en": ("Summarize the following text in one sentence:\n{doc}", "{doc}\n\nWhat is the text mainly about?", "Extract all names and dates from this email:\n{doc}", "Classify the sentiment of this review as positive or negative: {doc}", "Return the prices in this text as JSON.\n{doc}",
           "{table}\n\nWho has the highest value in the table?", "TL;DR:\n{doc}", "Read the passage and answer: who is mentioned first?\n{doc}", "Label each line as spam or not spam:\n{doc}"),
    "zh": ("用一句话总结下面的文字：\n{docz}", "从下面的文本中提取人名和日期：\n{docz}", "判断这条评论是正面还是负面：{docz}", "{docz}\n\n这段文字主要讲了什么？", "{table}\n\n表中谁的数值最高？"),
    "es": ("Resume el siguiente texto en una frase:\n{doc}", "Extrae los nombres y fechas del texto:\n{doc}"), "fr": ("Résume le texte suivant en une phrase :\n{doc}", "Extrais les noms et les dates du texte :\n{doc}"),
    "de": ("Fasse den folgenden Text in einem Satz zusammen:\n{doc}", "Welche Namen und Daten stehen in diesem Text?\n{doc}"), "ja": ("次の文章を一文で要約してください。\n{docz}",), "ko": ("다음 글을 한 문장으로 요약해 줘:\n{doc}",), "pt": ("Resuma o texto a seguir em uma frase:\n{doc}",), "ru": ("Кратко перескажи текст:\n{doc}", "Выпиши имена и даты из текста:\n{doc}"),
    "ar": ("لخص النص التالي في جملة واحدة:\n{doc}",), "hi": ("निम्नलिखित पाठ का सारांश एक वाक्य में दें:\n{doc}",), "vi": ("Tóm tắt đoạn văn sau trong một câu:\n{doc}",), "it": ("Riassumi il testo seguente in una frase:\n{doc}",),
}  # fmt: skip

WRITING: dict[str, tuple[str, ...]] = {
    "en": ("Write a poem about {w}.", "Write a {b}-word essay about {w}.", "Draft an email to my boss asking for {b} days off.", "Rewrite this sentence more formally: {doc1}", "Write a short story in which {p} meets {q} in {k}.", "Come up with a slogan for a shop that sells {o}.", "Write a cover letter for a job as a teacher.",
           "Write a haiku about mathematics.", "Write an essay on the beauty of mathematics.", "Compose a birthday message for {p}.", "Improve the style of this paragraph:\n{doc}", "Write a blog post about the history of programming.", "Write a product description for {o}.", "Fix the grammar: {doc1}", "Write lyrics for a song about {w}."),
    "zh": ("写一首关于{wz}的诗。", "写一篇{a}字的作文，题目是《{wz}》。", "帮我写一封请假邮件。", "把下面的句子改写得更正式：{docz}", "给我的店写一句广告语。", "写一个关于{p}和{q}的短故事。", "润色这段话：{docz}"),
    "es": ("Escribe un poema sobre {w}.", "Redacta un correo para pedir {b} días libres.", "Escribe un cuento corto sobre {p}.", "Mejora el estilo de este párrafo: {doc}"), "fr": ("Écris un poème sur {w}.", "Rédige un e-mail pour demander un congé.", "Écris une courte histoire sur {p}."),
    "de": ("Schreibe ein Gedicht über {w}.", "Verfasse eine E-Mail an meinen Chef, in der ich um Urlaub bitte.", "Schreibe eine kurze Geschichte über {p}."), "pt": ("Escreva um poema sobre {w}.", "Redija um e-mail pedindo férias.", "Escreva uma redação sobre {w}."), "it": ("Scrivi una poesia su {w}.", "Scrivi una lettera di presentazione."),
    "ru": ("Напиши стихотворение о {w}.", "Напиши письмо начальнику с просьбой об отпуске.", "Напиши короткий рассказ про {p}."), "ja": ("{w}についての詩を書いてください。", "休暇を申請するメールを書いてください。", "短い物語を書いて。"), "ko": ("{w}에 대한 시를 써 줘.", "휴가를 신청하는 이메일을 작성해 줘.", "짧은 이야기를 써 줘."),
    "ar": ("اكتب قصيدة عن {w}.", "اكتب رسالة بريد إلكتروني لطلب إجازة.", "اكتب قصة قصيرة عن {p}."), "hi": ("{w} पर एक कविता लिखिए।", "छुट्टी के लिए एक ईमेल लिखें।"), "vi": ("Viết một bài thơ về {w}.", "Viết email xin nghỉ phép.", "Viết một truyện ngắn về {p}."), "tr": ("{w} hakkında bir şiir yaz.", "İzin istemek için bir e-posta yaz."),
    "id": ("Tulis puisi tentang {w}.", "Buatkan email untuk meminta cuti."), "th": ("เขียนบทกวีเกี่ยวกับ {w}", "เขียนอีเมลขอลาหยุด"), "pl": ("Napisz wiersz o {w}.", "Napisz list motywacyjny."),
}  # fmt: skip

CHAT: dict[str, tuple[str, ...]] = {
    "en": ("hi", "hello", "Hey there!", "Hi, how are you today?", "thanks!", "thank you so much, that helped", "good morning", "What's your name?", "Who made you?", "lol", "ok", "bye", "I'm feeling sad today.", "tell me a joke", "What should I cook tonight?", "I turned {b} today!", "I spent {a} hours coding today, I'm so tired",
           "Do you like music?", "Can we just talk for a bit?", "Any plans for the weekend?", "What movie should I watch tonight?", "My cat is {b} years old and she is the best", "nice weather, isn't it?", "Suggest a gift for my friend {p}.", "I broke up with my girlfriend, what now?", "are you a robot?", "yes please", "never mind", "haha that's funny", "Give me ideas for a birthday party."),
    "zh": ("你好", "早上好！", "谢谢你", "你叫什么名字？", "我今天心情不好", "再见", "讲个笑话吧", "今晚吃什么好？", "哈哈", "好的", "你是谁？", "我今天{b}岁了！", "周末有什么计划？", "推荐一部电影"), "es": ("hola", "¡Hola! ¿Cómo estás?", "gracias", "buenos días", "¿Cómo te llamas?", "cuéntame un chiste", "Estoy triste hoy", "adiós", "¿Qué cocino esta noche?"),
    "fr": ("bonjour", "Salut, ça va ?", "merci beaucoup", "Comment tu t'appelles ?", "raconte-moi une blague", "bonne nuit", "Je suis triste aujourd'hui"), "de": ("hallo", "Hallo, wie geht's?", "danke schön", "guten Morgen", "Wie heißt du?", "erzähl mir einen Witz", "tschüss", "Was soll ich heute kochen?"),
    "pt": ("oi", "Olá, tudo bem?", "obrigado", "bom dia", "Qual é o seu nome?", "conta uma piada"), "it": ("ciao", "Ciao, come stai?", "grazie mille", "buongiorno", "Come ti chiami?"), "ru": ("привет", "Привет, как дела?", "спасибо", "доброе утро", "Как тебя зовут?", "расскажи анекдот", "пока"),
    "ja": ("こんにちは", "おはよう！", "ありがとう", "元気ですか？", "お名前は？", "今日は疲れた", "おやすみ"), "ko": ("안녕", "안녕하세요! 잘 지내요?", "고마워", "이름이 뭐야?", "오늘 기분이 안 좋아", "잘 자"), "ar": ("مرحبا", "السلام عليكم", "كيف حالك؟", "شكرا", "ما اسمك؟"), "hi": ("नमस्ते", "आप कैसे हैं?", "धन्यवाद", "तुम्हारा नाम क्या है?"),
    "vi": ("xin chào", "bạn khỏe không?", "cảm ơn", "bạn tên gì?", "hôm nay tôi buồn"), "tr": ("merhaba", "nasılsın?", "teşekkürler", "adın ne?"), "id": ("halo", "apa kabar?", "terima kasih", "siapa namamu?"), "th": ("สวัสดี", "สบายดีไหม", "ขอบคุณ"), "pl": ("cześć", "jak się masz?", "dziękuję"), "sw": ("habari", "asante sana"),
}  # fmt: skip

TRANSLATION: dict[str, tuple[str, ...]] = {
    "en": ("Translate into {t_en}: {ph}", "Translate this sentence to {t_en}:\n{ph}", "How do you say \"{ph}\" in {t_en}?", "translate \"{phx}\" to english", "What does \"{phx}\" mean in English?", "Please translate the following text from {t_en} to English:\n{phx}", "{ph}\n\nTranslate the above into {t_en}.", "Give me the {t_en} translation of: {ph}"),
    "zh": ("把下面的句子翻译成英文：{phz}", "翻译成中文：{ph}", "“{phz}”用日语怎么说？", "请将以下内容译成法语：\n{phz}", "翻译：{ph}"), "es": ("Traduce al inglés: {phx}", "¿Cómo se dice \"{phx}\" en francés?", "Traduce esta frase al español: {ph}"), "fr": ("Traduis en anglais : {phx}", "Comment dit-on « {phx} » en allemand ?", "Traduisez ce texte en français : {ph}"),
    "de": ("Übersetze ins Englische: {phx}", "Wie sagt man \"{phx}\" auf Spanisch?", "Übersetze den Satz ins Deutsche: {ph}"), "pt": ("Traduza para o inglês: {phx}", "Traduza esta frase para o português: {ph}"), "it": ("Traduci in inglese: {phx}", "Come si dice \"{phx}\" in tedesco?"), "ru": ("Переведи на английский: {phx}", "Переведи на русский: {ph}", "Как сказать «{phx}» по-французски?"),
    "ja": ("次の文を英語に翻訳してください: {phz}", "日本語に訳して: {ph}"), "ko": ("다음 문장을 영어로 번역해 줘: {phx}", "한국어로 번역: {ph}"), "ar": ("ترجم إلى الإنجليزية: {phx}", "ترجم الجملة التالية إلى العربية: {ph}"), "hi": ("इसका अंग्रेज़ी में अनुवाद करें: {phx}", "हिंदी में अनुवाद करें: {ph}"), "vi": ("Dịch sang tiếng Anh: {phx}", "Dịch câu này sang tiếng Việt: {ph}"),
    "tr": ("İngilizceye çevir: {phx}", "Türkçeye çevir: {ph}"), "id": ("Terjemahkan ke bahasa Inggris: {phx}", "Terjemahkan ke bahasa Indonesia: {ph}"), "th": ("แปลเป็นภาษาอังกฤษ: {phx}", "แปลเป็นภาษาไทย: {ph}"), "pl": ("Przetłumacz na angielski: {phx}",),
}  # fmt: skip

TOOLS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (("What's the weather in {city} right now?", "get_weather"), ("Send an email to {p} saying I'll be {b} minutes late.", "send_email"), ("What is the current price of {stock} stock?", "get_stock_price"), ("Book a table for {b} at an Italian restaurant tonight.", "restaurant.book"), ("Set an alarm for {b} am tomorrow.", "set_alarm"),
           ("Turn off the lights in the kitchen.", "lights.control"), ("Find flights from {city} to {city2} next Friday.", "search_flights"), ("Add milk to my shopping list.", "list.add_item"), ("Who won the match last night?", "sports.results"), ("Search the web for the latest news about {city}.", "web_search"), ("Delete the file report{b}.txt.", "delete_file"), ("Play some jazz.", "music.play"), ("Remind me to call {p} at {b} pm.", "create_reminder"), ("What is on my calendar today?", "calendar.list_events")),
    "zh": (("{city}现在天气怎么样？", "get_weather"), ("帮我给{p}发一封邮件，说我会迟到。", "send_email"), ("查一下{stock}的最新股价。", "get_stock_price"), ("明天早上{b}点叫我起床。", "set_alarm"), ("把客厅的灯关掉。", "lights.control"), ("搜索关于{city}的最新新闻。", "web_search")),
    "es": (("¿Qué tiempo hace ahora en {city}?", "get_weather"), ("Envía un correo a {p} diciendo que llegaré tarde.", "send_email"), ("Pon una alarma a las {b}.", "set_alarm")), "fr": (("Quel temps fait-il à {city} en ce moment ?", "get_weather"), ("Envoie un e-mail à {p}.", "send_email"), ("Réserve une table pour {b} ce soir.", "restaurant.book")),
    "de": (("Wie ist das Wetter gerade in {city}?", "get_weather"), ("Stell einen Wecker auf {b} Uhr.", "set_alarm"), ("Schick {p} eine E-Mail, dass ich später komme.", "send_email")), "ja": (("今の{city}の天気は？", "get_weather"), ("{b}時にアラームをセットして。", "set_alarm")), "ko": (("지금 {city} 날씨 어때?", "get_weather"), ("{b}시에 알람 맞춰 줘.", "set_alarm")),
    "pt": (("Como está o tempo em {city} agora?", "get_weather"), ("Envie um e-mail para {p}.", "send_email")), "ru": (("Какая сейчас погода в {city}?", "get_weather"), ("Поставь будильник на {b}.", "set_alarm")), "ar": (("كيف الطقس الآن في {city}؟", "get_weather"),), "hi": (("अभी {city} में मौसम कैसा है?", "get_weather"),), "vi": (("Thời tiết ở {city} bây giờ thế nào?", "get_weather"),), "it": (("Che tempo fa adesso a {city}?", "get_weather"),),
}  # fmt: skip

SNIPPETS = (
    "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return totl", "for (int i = 0; i <= n; i++) {\n    sum += a[i];\n}", "SELECT name, COUNT(*) FROM orders GROUP BY name HAVING COUNT(*) > 3;", "const add = (a, b) => {\n  return a + b\n}\nconsole.log(add(1))",
    "fn main() {\n    let v = vec![1, 2, 3];\n    let w = v;\n    println!(\"{:?}\", v);\n}", "Traceback (most recent call last):\n  File \"app.py\", line 12, in <module>\n    main()\nKeyError: 'id'", "public class A {\n    public static void main(String[] args) {\n        System.out.println(args[0]);\n    }\n}",
    "func Sum(xs []int) int {\n\ts := 0\n\tfor _, x := range xs {\n\t\ts += x\n\t}\n\treturn s\n}", "#!/bin/bash\nfor f in *.txt; do\n  mv \"$f\" \"${f%.txt}.md\"\ndone", "<div class=\"a\">\n  <p>Hello</p>\n</div>", "diff --git a/x.py b/x.py\n@@ -1,3 +1,4 @@\n-import os\n+import sys\n def main():", "services:\n  web:\n    image: nginx\n    ports:\n      - \"80:80\"",
    "(defn square [x]\n  (* x x))", "main :: IO ()\nmain = mapM_ print [x * x | x <- [1..10]]", "$.ajax({url: '/api', success: function(d) { alert(d); }});", "import numpy as np\nx = np.zeros((3, 3))\nprint(x[3])", "x <- c(1, 2, 3)\nmean(x, na.rm = TRUE)", "def quicksort(arr):\n    \"\"\"Sort a list.\"\"\"\n", "function fib(n: number): number {",
)  # fmt: skip
DOCS = (
    "The museum opened in 1923 and moved to its present building in 1967. It holds about 12,000 objects, most of them given by local families.", "Hi Anna, the meeting with Mr. Brown is on 4 May at 10:30. Please bring the report and the two contracts. Best, Tom", "I ordered the headphones last week and they arrived broken. The shop refused to pay me back. Never again.",
    "Bees live in colonies with one queen. The workers gather nectar and pollen, and in winter the colony lives on its honey.", "The river rises in the northern hills, crosses three provinces and reaches the sea after 840 kilometres. Its floods were feared until the dam was built.", "Great phone, the battery lasts two days and the camera is sharp. The price of 499 is fair.",
)  # fmt: skip
DOCS_ZH = ("这家博物馆建于1923年，1967年搬到现址，馆内有一万多件展品，大多由当地家庭捐赠。", "手机收到三天就坏了，客服一直不回复，非常失望。", "张三和李四将于5月4日上午十点开会，请带上报告和两份合同。", "蜜蜂群居生活，工蜂采集花蜜和花粉，冬天靠蜂蜜过冬。")
TABLES = ("| name | score |\n|---|---|\n| Ann | 12 |\n| Bo | 17 |\n| Cy | 9 |", "name,score\nAnn,12\nBo,17\nCy,9", "Product\tPrice\nPen\t2\nBook\t14\nLamp\t31")
PHRASES = ("Good morning, how are you?", "The train leaves at noon.", "I would like a cup of coffee, please.", "Where is the nearest station?", "We are happy to help you.", "The weather was cold yesterday.", "The contract ends in two years.", "She has three brothers.")
PHRASES_ZH = ("早上好，你好吗？", "火车中午出发。", "请给我一杯咖啡。", "最近的车站在哪里？", "我们很高兴帮助您。")
PHRASES_X = ("Guten Morgen, wie geht es dir?", "El tren sale al mediodía.", "Je voudrais un café, s'il vous plaît.", "Где ближайшая станция?", "駅はどこですか？", "오늘 날씨가 좋네요.", "Dov'è la stazione?", "Onde fica a estação?", "早上好", "Chúc mừng năm mới", "carpe diem", "¿Dónde está la biblioteca?")

_WORDS: dict[str, tuple[str, ...]] = {
    "n": ("Ana", "Tom", "Li Na", "Omar", "Maya", "Ivan", "Sara", "Ken"), "o": ("apples", "pens", "books", "stamps", "cookies", "marbles"), "p": ("Ann", "Alex", "Mia", "Jonas", "Priya"), "q": ("Bob", "Lea", "Hassan", "Nina"), "r": ("Carl", "Yuki", "Eva", "Sam"), "s3": ("Dora", "Felix"),
    "l": ("Python", "JavaScript", "Java", "C++", "Go", "Rust", "C#", "PHP", "Ruby", "Kotlin", "Swift", "R", "TypeScript", "Bash"), "t": ("reverses a string", "finds the longest word in a list", "checks whether a number is prime", "merges two sorted arrays", "parses a date"),
    "t2": ("read a file line by line", "sort a dictionary by value", "make an HTTP request", "declare a constant", "handle exceptions"), "tz": ("判断一个字符串是否是回文", "求列表中的最大值", "计算斐波那契数列", "把列表排序"), "s": SNIPPETS, "e": ("a NullPointerException", "IndexError: list index out of range", "segmentation fault", "TypeError: x is not a function"),
    "x": ("cats", "roses", "engineers", "blorps"), "y": ("animals", "plants", "swimmers", "wugs"), "z": ("fast", "red things", "painters", "daxes"), "xz": ("猫", "玫瑰", "医生"), "yz": ("动物", "植物", "画家"), "zz": ("红色的", "会游泳的", "老师"),
    "k": ("Norway", "Japan", "Brazil", "Kenya", "India", "Peru"), "kz": ("挪威", "巴西", "日本", "埃及"), "g": ("photosynthesis", "gravity", "the printing press", "inflation", "DNA", "a black hole", "vaccination"), "g2": ("respiration", "magnetism", "deflation", "RNA"), "gz": ("光合作用", "万有引力", "通货膨胀", "量子力学"), "gz2": ("呼吸作用", "磁力", "相对论"),
    "h": ("French Revolution", "Cold War", "Renaissance", "Meiji era"), "d": ("diabetes", "flu", "anemia"), "w": ("autumn", "the sea", "love", "friendship", "the moon"), "wz": ("秋天", "大海", "友谊", "我的家乡"), "doc": DOCS, "docz": DOCS_ZH, "doc1": ("i want my money back now", "he dont like going to school", "gimme the report asap"), "table": TABLES,
    "ph": PHRASES, "phz": PHRASES_ZH, "phx": PHRASES_X, "t_en": ("French", "German", "Spanish", "Chinese", "Japanese", "Arabic", "Hindi", "Italian", "Korean"), "city": ("Paris", "Tokyo", "Lagos", "Lima", "Boston"), "city2": ("Rome", "Delhi", "Oslo"), "stock": ("Apple", "Toyota", "Siemens"),
}  # fmt: skip
_BANKS = {"math": MATH, "code": CODE, "reasoning": REASONING, "knowledge": KNOWLEDGE, "extraction": EXTRACTION, "writing": WRITING, "chat": CHAT, "translation": TRANSLATION}
_DEPTH: dict[str, float | None] = {"math": 0.3, "code": 0.35, "reasoning": 0.6, "knowledge": 0.1, "extraction": 0.1, "writing": 0.15, "chat": 0.0, "translation": 0.05, "tools": 0.2}
"""Depth of a generated ask: a prior for its kind, in keeping with the constants of the shared sources."""
_POLITE = ("Please help me: {}", "Hi! {}", "{} Thanks!", "Can you help with this? {}", "{} Please think step by step.", "quick question: {}", "{}\n\nAnswer in one line.")
OTHER_TOOLS = ("get_weather", "calculator", "send_email", "web_search", "read_file", "run_shell", "calendar.list_events", "lookup_order")


def _fill(template: str, rng: random.Random) -> str:
    values = {name: rng.choice(words) for name, words in _WORDS.items()}
    scale = rng.choice((20, 100, 1000))
    numbers = {"a": rng.randint(scale // 2, scale), "b": rng.randint(2, 9), "c": rng.randint(2, 12)}
    for name, value in (values | {k: str(v) for k, v in numbers.items()}).items():
        template = template.replace("{" + name + "}", value)
    return template


def _varied(text: str, language: str, rng: random.Random) -> str:
    """What people do to an ask: wrap it, drop capitals or the last mark."""
    roll = rng.random()
    if language == "en" and roll < 0.15:
        return rng.choice(_POLITE).format(text)
    if roll < 0.25 and "\n" not in text:
        return text.lower().rstrip(".!")
    return text.rstrip("?？.") if roll < 0.35 else text


def generate(*, seed: int, count: int) -> Iterator[Ask]:
    """`count` asks: every domain and, within it, every language as often as the others (English thrice)."""
    rng = random.Random(seed)
    kinds: list[Callable[[], Ask]] = [_maker(domain, rng) for domain in _BANKS] + [lambda: _tool_ask(rng)]
    for i in range(count):
        ask = kinds[i % len(kinds)]()
        if not ask.tools and rng.random() < 0.06:  # tools lie around in many requests that need none
            ask = ask._replace(tools=tuple(rng.sample(OTHER_TOOLS, rng.randint(1, 4))))
        yield ask


def _language(bank: dict[str, tuple[object, ...]] | dict[str, tuple[str, ...]], rng: random.Random) -> str:
    return rng.choice(["en", "en", *bank])


def _maker(domain: str, rng: random.Random) -> Callable[[], Ask]:
    bank = _BANKS[domain]

    def make() -> Ask:
        language = _language(bank, rng)
        text = _varied(_fill(rng.choice(bank[language]), rng), language, rng)
        return Ask(text, domain, language, _DEPTH[domain])

    return make


def _tool_ask(rng: random.Random) -> Ask:
    language = rng.choice(["en", "en", *TOOLS])
    template, name = rng.choice(TOOLS[language])
    declared = tuple({name, *rng.sample(OTHER_TOOLS, rng.randint(0, 3))}) if rng.random() < 0.7 else ()
    return Ask(_varied(_fill(template, rng), language, rng), "tools", language, _DEPTH["tools"], tuple(sorted(declared)))
