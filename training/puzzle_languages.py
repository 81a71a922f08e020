"""Puzzles in thirteen languages besides English: phrases of each language and the kinds that use them.

Phrases avoid inflected names; alternatives are separated by `|`, groups of alternatives by `||`. Our own words.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

from training.puzzle_layout import Draft
from training.puzzle_logic import BOOLEAN_STYLES, expression
from training.puzzle_orders import swap_pairs

LanguageKind = Callable[[random.Random, int, str], Draft]

PHRASES: dict[str, dict[str, str]] = {
    "zh": {
        "names": "小王|老李|阿明|晓雯|刘洋|陈静|赵磊|孙悦|周敏|吴迪|郑浩|小芳|何琳|马超群|林远|徐青|秦朗|高洁",
        "days": "星期一|星期二|星期三|星期四|星期五|星期六|星期日",
        "things": "红围巾|蓝杯子|旧怀表|木梳子|黄雨伞|铜铃铛|玻璃球|小台灯|口琴|风筝",
        ("groups"): (
            "会游泳的人|戴眼镜的人|素食者|集邮爱好者|夜班护士|早起的人|骑车上班的人|养猫的人|业余画家|喝茶的人|合唱团成员"
        ),
        "lamps": "红|绿|蓝|黄|白|紫|橙|青|粉|灰",
        ("cmp"): "{a}比{b}高|{b}比{a}矮|谁最高？|谁最矮？|把他们从高到矮排列。||{a}比{b}年长|{b}的年纪比{a}小|"
        "年龄最大的是谁？|谁最年轻？|按年龄从大到小排序。"
        "||{a}先于{b}到达终点|{b}跑得没有{a}快|第一名是谁？|最后到达的是谁？|写出名次。||{a}的分数高于{b}|"
        "{b}考得不如{a}|谁的分数最高？|倒数第一是谁？|请按成绩排名。",
        "follows": "由此能否推出“{c}”？|“{c}”这句话一定成立吗？|可以断定{c}吗？",
        "hold": "{p}拿着{v}|{p}手里是{v}|一开始{p}有{v}",
        "swap": "{a}和{b}互换了手里的东西|{b}跟{a}交换|接着{a}同{b}对调",
        "swap_ask": "最后{p}手里是什么？|现在{p}拿着哪样东西？|{v}最终在谁那里？",
        "liar_intro": "每个人要么总说真话，要么总说假话。|村里只有诚实的人和骗子两种人。|",
        "liar_start": "{a}从不说谎|{a}说一加一等于三|已知{a}是骗子|大家都知道{a}只说真话",
        "liar_lie": "{b}说{a}在撒谎|{b}：“{a}是骗子。”|{b}声称{a}的话不可信",
        "liar_true": "{b}说{a}讲的是真话|{b}：“{a}很诚实。”",
        "liar_ask": "{b}说的是真话吗？|{b}是骗子吗？|能相信{b}吗？",
        "today": "今天是{d}|昨天是{d}|后天是{d}|前天是{d}|明天是{d}",
        "day_ask": "那么明天是星期几？|请问大后天是星期几？|大前天是星期几？|再过十天是星期几？",
        "shift_start": "活动{a}安排在{d}|{a}会议定在{d}",
        "shift": "{b}在{a}之后两天|{b}比{a}早三天|{b}的第二天就是{a}|{b}比{a}晚五天|{a}前一天是{b}",
        "shift_ask": "{b}在星期几？|请推算{b}是星期几。",
        ("walk_intro"): (
            "一个机器人面朝北站在方格地上，按下面的指令行动。|你站在旗杆下，面向东。|扫地机从充电座出发，朝南。|"
            "小狗面朝西站在院子中央。"
        ),
        "moves": "向前走{n}步|向左转|向右转|向后转|左转后前进{n}步|右转后前进{n}步|后退{n}步，方向不变",
        "walk_ask": "最后面朝哪个方向？|它回到起点了吗？|终点在起点的什么方向？|现在起点在哪个方向？",
        "lamp_if": "如果{a}灯亮，那么{b}灯也亮|只要{a}灯亮着，{b}灯就会亮|{b}灯不亮时{a}灯也不会亮",
        "lamp_on": "{a}灯亮着|现在看到{a}灯是亮的",
        "lamp_off": "{a}灯没有亮|{a}灯是灭的",
        "lamp_ask": "{a}灯亮吗？|能确定{a}灯的状态吗？|关于{a}灯可以得出什么结论？",
        "row_intro": "{n}个人排成一排：{list}。|{list}在售票窗口前排队，共{n}人。|",
        "row_first": "{a}站在最左边|最左端是{a}",
        "row_next": "{b}紧挨在{a}右边|{a}的右邻是{b}|{a}就在{b}左边一位",
        "row_ask": "从左数第{k}个是谁？|谁在最右边？|从左到右写出顺序。",
        "all": "所有{a}都是{b}|凡是{a}都是{b}",
        "some": "有些{a}是{b}",
        "no": "没有一个{a}是{b}|{a}都不是{b}",
        "bool": "求 {e} 的真假值。|{e} 的结果是真还是假？|计算逻辑表达式：{e}|{e} 等于什么？",
    },
    "es": {
        ("names"): (
            "Lucía|Mateo|Valeria|Joaquín|Renata|Iker|Noelia|Gonzalo|Ximena|Bruno|Paloma|Andrés|Jimena|Rodrigo|Inés|"
            "Tomás|Alba|Nicolás"
        ),
        "days": "lunes|martes|miércoles|jueves|viernes|sábado|domingo",
        ("things"): (
            "la bufanda roja|una taza azul|el reloj viejo|un peine de madera|el paraguas amarillo|una campanilla|"
            "la linterna|un tambor|la cometa|un silbato"
        ),
        ("groups"): (
            "apicultores|nadadores|vegetarianos|tenores|coleccionistas de sellos|madrugadores|dueños de gatos|"
            "poetas|buzos|cerrajeros|vecinos del barrio"
        ),
        "lamps": "roja|verde|azul|amarilla|blanca|morada|naranja|gris|rosa|negra",
        ("cmp"): "{a} tiene más años que {b}|{b} tiene menos años que {a}|¿Quién tiene más años?|¿Quién es la persona "
        "más joven?|Ordénalos de mayor a menor edad."
        "||{a} mide más que {b}|{b} mide menos que {a}|¿Quién mide más?|¿Quién mide menos?|Ordénalos por altura."
        "||{a} llegó antes que {b}|{b} cruzó la meta después de {a}|¿Quién ganó la carrera?|¿Quién llegó al final?|"
        "Escribe la clasificación.",
        "follows": "¿Se deduce que {c}?|¿Es necesariamente cierto que {c}?|¿Podemos concluir que {c}?",
        "hold": "{p} tiene {v}|A {p} le toca {v}|{p} empieza con {v}",
        "swap": "{a} y {b} intercambian lo que tienen|{b} cambia su objeto con {a}|Luego {a} hace un trueque con {b}",
        "swap_ask": "¿Qué tiene {p} al final?|¿Con qué se queda {p}?|¿Quién termina con {v}?",
        ("liar_intro"): (
            "Cada persona dice siempre la verdad o miente siempre.|En este pueblo unos nunca mienten y otros "
            "mienten siempre.|"
        ),
        ("liar_start"): (
            "{a} nunca miente|{a} dice que el hielo está caliente|Se sabe que {a} miente siempre|{a} dice la verdad"
        ),
        "liar_lie": "{b} dice que {a} miente|{b}: «{a} está mintiendo»|Según {b}, no hay que creer a {a}",
        "liar_true": "{b} dice que {a} dice la verdad|{b} asegura que {a} no miente",
        "liar_ask": "¿Dice {b} la verdad?|¿Miente {b}?|¿Se puede creer a {b}?",
        "today": "Hoy es {d}|Ayer fue {d}|Pasado mañana será {d}|Anteayer fue {d}|Mañana es {d}",
        ("day_ask"): (
            "¿Qué día será mañana?|¿Qué día de la semana será dentro de diez días?|¿Qué día fue hace tres días?|¿Y "
            "pasado mañana qué día es?"
        ),
        "shift_start": "La reunión {a} es el {d}|La cita {a} cae en {d}",
        ("shift"): (
            "{b} es dos días después de {a}|{b} es tres días antes que {a}|{b} es la víspera de {a}|{a} fue cinco "
            "días antes que {b}"
        ),
        "shift_ask": "¿En qué día de la semana cae {b}?|¿Qué día es {b}?",
        ("walk_intro"): (
            "Un robot está en una cuadrícula mirando al norte y recibe estas órdenes.|Empiezas junto a la fuente, "
            "de cara al este.|Sales del roble mirando al sur.|El dron parte mirando al oeste."
        ),
        ("moves"): (
            "Avanza {n} pasos|Gira a la izquierda|Gira a la derecha|Da media vuelta|Gira a la izquierda y avanza "
            "{n} pasos|Camina {n} pasos hacia atrás sin girar"
        ),
        ("walk_ask"): (
            "¿Hacia dónde mira al final?|¿Se vuelve al punto de partida?|¿En qué dirección queda el punto de salida?"
        ),
        ("lamp_if"): (
            "Si la luz {a} está encendida, la {b} también|Siempre que se enciende la luz {a} se enciende la {b}|La "
            "luz {a} nunca está encendida sin la {b}"
        ),
        "lamp_on": "La luz {a} está encendida",
        "lamp_off": "La luz {a} está apagada",
        "lamp_ask": "¿Está encendida la luz {a}?|¿Qué sabemos de la luz {a}?|¿Se puede saber si la luz {a} está encendida?",
        "row_intro": "{n} amigos hacen cola: {list}.|En un banco hay {n} personas: {list}.|",
        "row_first": "{a} ocupa el primer lugar|{a} está en el extremo izquierdo",
        "row_next": "{b} va justo detrás de {a}|{a} está inmediatamente antes de {b}|A {a} le sigue {b}",
        "row_ask": "¿Quién ocupa el puesto {k}?|¿Quién está al final?|Escribe el orden completo.",
        "all": "Todos los {a} son {b}|Quien está entre los {a} está entre los {b}",
        "some": "Hay {a} que son {b}",
        "no": "Entre los {a} no hay {b}|No hay {a} que sean {b}",
        "bool": "¿Cuánto vale {e}?|Evalúa la expresión lógica {e}|¿Es verdadero o falso? {e}",
    },
    "fr": {
        ("names"): (
            "Élodie|Bastien|Maëlle|Yanis|Clémence|Aurélien|Salomé|Corentin|Inaya|Gaspard|Solène|Rayan|Capucine|"
            "Lucien|Faustine|Malo|Noémie|Ilyes"
        ),
        "days": "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche",
        ("things"): (
            "l'écharpe rouge|une tasse bleue|la vieille montre|un peigne en bois|le parapluie jaune|une clochette|"
            "la lanterne|un tambour|le cerf-volant|un sifflet"
        ),
        ("groups"): (
            "apiculteurs|nageurs|végétariens|ténors|philatélistes|lève-tôt|poètes|plongeurs|serruriers|jardiniers|cyclistes"
        ),
        "lamps": "rouge|verte|bleue|jaune|blanche|violette|turquoise|grise|rose|noire",
        ("cmp"): "{a} a plus d'années que {b}|{b} est né(e) après {a}|Qui a le plus d'années ?|Qui est né en dernier ?|"
        "Classez-les par âge décroissant."
        "||{a} court plus vite que {b}|{b} court moins vite que {a}|Qui court le plus vite ?|Qui court le moins "
        "vite ?|Donne le classement."
        "||{a} habite plus haut que {b}|{b} habite en dessous de {a}|Qui habite tout en haut ?|Qui habite tout en "
        "bas ?|Donne l'ordre de haut en bas.",
        "follows": "Peut-on en conclure ceci : {c} ?|Est-ce forcément vrai : {c} ?|En déduit-on cela : {c} ?",
        "hold": "{p} tient {v}|{p} reçoit {v}|Au début, {p} a {v}",
        "swap": "{a} et {b} échangent ce qu'ils tiennent|{b} fait un échange avec {a}|Puis {a} troque avec {b}",
        "swap_ask": "Qu'a {p} à la fin ?|Avec quoi {p} repart-il ou elle ?|Qui a {v} maintenant ?",
        ("liar_intro"): (
            "Chacun dit toujours la vérité ou ment toujours.|Sur ce bateau, on ne ment jamais ou on ment tout le temps.|"
        ),
        "liar_start": "{a} ne ment jamais|{a} dit que la neige est noire|On sait que {a} ment toujours|{a} dit la vérité",
        "liar_lie": "{b} dit que {a} ment|{b} : « {a} raconte des mensonges. »|D'après {b}, il ne faut pas croire {a}",
        "liar_true": "{b} dit que {a} dit la vérité|{b} affirme que {a} ne ment pas",
        "liar_ask": "{b} dit-il ou dit-elle la vérité ?|Est-ce que {b} ment ?|Peut-on croire {b} ?",
        "today": "Nous sommes {d}|Hier, c'était {d}|Après-demain, ce sera {d}|Avant-hier, c'était {d}|Demain, c'est {d}",
        ("day_ask"): (
            "Quel jour serons-nous demain ?|Quel jour était-ce il y a trois jours ?|Quel jour de la semaine "
            "sera-t-on dans dix jours ?"
        ),
        "shift_start": "Le rendez-vous {a} est un {d}|La séance {a} tombe un {d}",
        ("shift"): (
            "{b} a lieu deux jours après {a}|{b} est trois jours avant {a}|{b} est la veille de {a}|{b} vient cinq "
            "jours plus tard que {a}"
        ),
        "shift_ask": "Quel jour de la semaine tombe {b} ?|{b}, c'est quel jour ?",
        ("walk_intro"): (
            "Un robot regarde vers le nord et reçoit ces consignes.|Tu pars de la fontaine, face à l'est.|Départ "
            "au vieux chêne, tourné vers le sud.|Le drone démarre face à l'ouest."
        ),
        ("moves"): (
            "Avance de {n} pas|Tourne à gauche|Tourne à droite|Fais demi-tour|Tourne à gauche et avance de {n} pas|"
            "Recule de {n} pas sans te retourner"
        ),
        ("walk_ask"): (
            "Dans quelle direction regarde-t-on à la fin ?|Est-on revenu au départ ?|Où se trouve le point de "
            "départ à présent ?"
        ),
        ("lamp_if"): (
            "Si la lampe {a} est allumée, la {b} l'est aussi|Chaque fois que la lampe {a} brille, la {b} brille|La "
            "lampe {a} ne s'allume jamais sans la {b}"
        ),
        "lamp_on": "La lampe {a} est allumée",
        "lamp_off": "La lampe {a} est éteinte",
        "lamp_ask": "La lampe {a} est-elle allumée ?|Que sait-on de la lampe {a} ?|Peut-on savoir si la lampe {a} brille ?",
        "row_intro": "{n} amis font la queue : {list}.|Sur un banc il y a {n} personnes : {list}.|",
        "row_first": "{a} est en tête|{a} occupe la première place",
        "row_next": "{b} vient juste après {a}|{a} est juste devant {b}|{a} précède immédiatement {b}",
        "row_ask": "Qui occupe la place {k} ?|Qui est en dernier ?|Donne l'ordre complet.",
        "all": "Tous les {a} sont des {b}|Les {a} font tous partie des {b}",
        "some": "Certains {a} sont des {b}",
        "no": "Aucun des {a} n'est parmi les {b}|Il n'y a pas de {b} chez les {a}",
        "bool": "Que vaut {e} ?|Évalue l'expression logique {e}|Vrai ou faux : {e}",
    },
    "de": {
        ("names"): (
            "Annika|Torben|Mareike|Jannis|Wiebke|Henrik|Svenja|Leander|Friederike|Malte|Lotte|Emil|Karla|Ruben|"
            "Thea|Anton|Greta|Nils"
        ),
        "days": "Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag",
        ("things"): (
            "den roten Schal|eine blaue Tasse|die alte Uhr|einen Holzkamm|den gelben Schirm|ein Glöckchen|die "
            "Laterne|eine Trommel|den Drachen|eine Pfeife"
        ),
        ("groups"): (
            "Imker|Schwimmer|Vegetarier|Tenöre|Briefmarkensammler|Frühaufsteher|Dichter|Taucher|Schlosser|Gärtner|Radfahrer"
        ),
        "lamps": "rote|grüne|blaue|gelbe|weiße|violette|orange|graue|rosa|schwarze",
        ("cmp"): "{a} ist älter als {b}|{b} ist jünger als {a}|Wer ist am ältesten?|Wer ist am jüngsten?|Ordne sie nach "
        "dem Alter."
        "||{a} ist größer als {b}|{b} ist kleiner als {a}|Wer ist am größten?|Wer ist am kleinsten?|Stell sie der "
        "Größe nach auf."
        "||{a} kam vor {b} ins Ziel|{b} war langsamer als {a}|Wer hat gewonnen?|Wer wurde Letzter?|Schreib die "
        "Rangliste auf."
        "||{a} wohnt über {b}|{b} wohnt unter {a}|Wer wohnt ganz oben?|Wer wohnt ganz unten?|Wie ist die "
        "Reihenfolge von oben nach unten?",
        "follows": "Folgt daraus: {c}?|Stimmt das sicher: {c}?|Kann man schließen: {c}?",
        "hold": "{p} hat {v}|{p} bekommt {v}|Am Anfang hält {p} {v}",
        "swap": "{a} und {b} tauschen|{b} tauscht mit {a}|Danach wechseln die Sachen zwischen {a} und {b}",
        "swap_ask": "Was hat {p} am Ende?|Womit geht {p} nach Hause?|Wer hat jetzt {v}?",
        "liar_intro": "Jeder lügt immer oder sagt immer die Wahrheit.|Im Dorf gibt es nur Lügner und ehrliche Leute.|",
        "liar_start": "{a} lügt nie|{a} behauptet, Eis sei heiß|{a} lügt bekanntlich immer|{a} sagt stets die Wahrheit",
        "liar_lie": "{b} sagt, dass {a} lügt|{b}: „{a} lügt.“|Laut {b} darf man {a} nichts glauben",
        "liar_true": "{b} sagt, dass {a} die Wahrheit sagt|{b} meint, {a} sei ehrlich",
        "liar_ask": "Sagt {b} die Wahrheit?|Lügt {b}?|Kann man {b} glauben?",
        "today": "Heute ist {d}|Gestern war {d}|Übermorgen ist {d}|Vorgestern war {d}|Morgen ist {d}",
        ("day_ask"): (
            "Welcher Tag ist morgen?|Welcher Wochentag ist in zehn Tagen?|Was für ein Tag war vor drei Tagen?|Und "
            "übermorgen?"
        ),
        "shift_start": "Termin {a} ist am {d}|Sitzung {a} findet am {d} statt",
        ("shift"): (
            "{b} ist zwei Tage nach {a}|{b} liegt drei Tage vor {a}|{b} ist am Tag vor {a}|{b} kommt fünf Tage "
            "später als {a}"
        ),
        "shift_ask": "Auf welchen Wochentag fällt {b}?|Wann ist {b}?",
        ("walk_intro"): (
            "Ein Roboter schaut nach Norden und erhält diese Befehle.|Du stehst am Brunnen und blickst nach Osten.|"
            "Start ist die alte Eiche, Blick nach Süden.|Die Drohne startet mit Blick nach Westen."
        ),
        ("moves"): (
            "Geh {n} Schritte vorwärts|Dreh dich nach links|Dreh dich nach rechts|Kehrt um|Links drehen, dann {n} "
            "Schritte|Geh {n} Schritte rückwärts, ohne dich zu drehen"
        ),
        "walk_ask": "Wohin schaut man am Ende?|Ist man wieder am Start?|In welcher Richtung liegt der Startpunkt jetzt?",
        ("lamp_if"): (
            "Wenn die {a} Lampe brennt, brennt auch die {b}|Immer wenn die {a} Lampe leuchtet, leuchtet die {b}|"
            "Die {a} Lampe brennt nie ohne die {b}"
        ),
        "lamp_on": "Die {a} Lampe brennt",
        "lamp_off": "Die {a} Lampe ist aus",
        "lamp_ask": "Brennt die {a} Lampe?|Was weiß man über die {a} Lampe?|Lässt sich sagen, ob die {a} Lampe leuchtet?",
        "row_intro": "{n} Freunde stehen in einer Schlange: {list}.|Auf einer Bank sitzen {n} Leute: {list}.|",
        "row_first": "{a} ist ganz vorn|Den ersten Platz hat {a}",
        "row_next": "{b} kommt direkt nach {a}|{a} ist unmittelbar vor {b}|Auf {a} folgt gleich {b}",
        "row_ask": "Wer hat Platz {k}?|Wer ist ganz hinten?|Gib die ganze Reihenfolge an.",
        "all": "Alle {a} sind {b}|Sämtliche {a} sind auch {b}",
        "some": "Einige {a} sind {b}",
        "no": "Keine {a} sind {b}|Unter den {a} gibt es keine {b}",
        "bool": "Was ergibt {e}?|Werte den Ausdruck aus: {e}|Wahr oder falsch: {e}",
    },
    "ru": {
        ("names"): (
            "Алёна|Тимур|Варвара|Глеб|Ксения|Руслан|Дарья|Матвей|Полина|Егор|Зоя|Никита|Лидия|Степан|Юлия|Артём|Майя|Фёдор"
        ),
        "days": "понедельник|вторник|среда|четверг|пятница|суббота|воскресенье",
        ("things"): (
            "красный шарф|синий кубок|старый компас|деревянный гребень|жёлтый зонт|медный колокольчик|фонарик|"
            "барабан|воздушный змей|свисток"
        ),
        ("groups"): (
            "пчеловоды|пловцы|вегетарианцы|теноры|филателисты|поэты|водолазы|слесари|садовники|велосипедисты|шахматисты"
        ),
        "lamps": "красная|зелёная|синяя|жёлтая|белая|фиолетовая|оранжевая|серая|розовая|чёрная",
        "cmp": "{a} старше, чем {b}|{b} моложе, чем {a}|Кто самый старший?|Кто самый младший?|Расположите их по возрасту."
        "||{a} выше ростом, чем {b}|{b} ниже, чем {a}|Кто выше всех?|Кто ниже всех?|Выстройте всех по росту."
        "||{a} бегает быстрее, чем {b}|{b} бегает медленнее, чем {a}|Кто бегает быстрее всех?|Кто самый медленный?|"
        "Запишите порядок от быстрого к медленному.",
        "follows": "Следует ли отсюда, что {c}?|Верно ли, что {c}?|Можно ли утверждать, что {c}?",
        "hold": "{p} держит {v}|{p} получает {v}|Вначале {p} берёт {v}",
        "swap": "{a} и {b} меняются предметами|{b} и {a} обмениваются|Потом {a} и {b} делают обмен",
        "swap_ask": "Что в конце держит {p}?|С каким предметом остаётся {p}?|Кто теперь держит {v}?",
        "liar_intro": "Каждый либо всегда лжёт, либо всегда говорит правду.|В деревне живут только лжецы и правдивые люди.|",
        ("liar_start"): (
            "{a} никогда не лжёт|{a} утверждает, что лёд горячий|Известно, что {a} всегда лжёт|{a} говорит только правду"
        ),
        "liar_lie": "{b} говорит, что {a} лжёт|{b}: «{a} врёт»|По словам очевидцев, {b} называет ложью всё, что говорит {a}",
        "liar_true": "{b} говорит, что {a} говорит правду|{b} уверяет, что {a} не лжёт",
        "liar_ask": "Говорит ли {b} правду?|Лжёт ли {b}?|{b} лжёт или нет?",
        "today": "Сегодня {d}|Вчера был день недели {d}|Послезавтра {d}|Завтра {d}",
        "day_ask": "Какой день недели завтра?|Какой день недели будет через десять дней?|Какой день был три дня назад?",
        "shift_start": "День встречи {a} - {d}|Событие {a}: {d}",
        ("shift"): (
            "{b} на два дня позже, чем {a}|{b} на три дня раньше, чем {a}|{b} - это день перед {a}|{b} через пять "
            "дней после {a}"
        ),
        "shift_ask": "На какой день недели приходится {b}?|Когда {b}?",
        ("walk_intro"): (
            "Робот смотрит на север и получает команды.|Вы стоите у фонтана лицом на восток.|Старт у дуба, взгляд "
            "на юг.|Дрон стартует носом на запад."
        ),
        ("moves"): (
            "Пройди {n} шагов вперёд|Повернись налево|Повернись направо|Развернись кругом|Налево и {n} шагов прямо|"
            "Сделай {n} шагов назад, не поворачиваясь"
        ),
        "walk_ask": "Куда он смотрит в конце?|Вернёмся ли мы в начальную точку?|В какой стороне теперь начальная точка?",
        ("lamp_if"): (
            "Если горит {a} лампа, то горит и {b}|Всякий раз, когда светит {a} лампа, светит и {b}|{a} лампа "
            "никогда не горит, если не горит {b}"
        ),
        "lamp_on": "Сейчас {a} лампа горит",
        "lamp_off": "Сейчас {a} лампа не горит",
        "lamp_ask": "Горит ли {a} лампа?|Известно ли, горит ли {a} лампа?",
        "row_intro": "{n} человек стоят в очереди: {list}.|На скамейке сидят {list}.|",
        "row_first": "Первое место занимает {a}|{a} стоит первым по счёту номером",
        ("row_next"): (
            "Сразу после места, где {a}, идёт {b}|{a} и {b} соседи, причём {b} дальше от начала|{b} следующим "
            "номером, чем {a}"
        ),
        "row_ask": "Кто на месте {k}?|Кто в самом конце?|Запишите весь порядок.",
        "all": "Все {a} - {b}|Все без исключения {a} - {b}",
        "some": "Некоторые {a} - {b}",
        "no": "Никакие {a} не {b}|Ни одни {a} не {b}",
        "bool": "Чему равно {e}?|Вычисли логическое выражение {e}|Истина или ложь: {e}",
    },
    "ja": {
        "names": "健太|美咲|さくら|大輔|由美|陽介|奈々|翔|かおり|直樹|葵|悠斗|千尋|拓海|麻衣|蓮|遥|誠",
        "days": "月曜日|火曜日|水曜日|木曜日|金曜日|土曜日|日曜日",
        "things": "赤いマフラー|青いカップ|古い時計|木のくし|黄色い傘|小さな鈴|ランタン|太鼓|凧|笛",
        "groups": "養蜂家|水泳選手|菜食主義者|切手収集家|早起きの人|詩人|潜水士|鍵職人|庭師|猫の飼い主",
        "lamps": "赤い|緑の|青い|黄色い|白い|紫の|オレンジの|灰色の|ピンクの|黒い",
        ("cmp"): "{a}は{b}より背が高い|{b}は{a}より背が低い|一番背が高いのは誰ですか？|一番背が低いのは誰？|"
        "背の高い順に並べてください。"
        "||{a}は{b}より年上だ|{b}は{a}より年下だ|最年長は誰ですか？|最年少は誰でしょう？|年齢の高い順に並べよ。"
        "||{a}は{b}より先にゴールした|{b}は{a}より遅かった|優勝したのは誰？|最後にゴールしたのは誰ですか？|"
        "順位を答えなさい。",
        "follows": "このことから「{c}」と言えますか？|「{c}」は必ず正しいですか？|「{c}」と結論できるか？",
        "hold": "{p}は{v}を持っている|最初、{p}の手には{v}がある|{p}が{v}を受け取る",
        "swap": "{a}と{b}が持ち物を交換する|{b}が{a}と取り替える|次に{a}と{b}が入れ替える",
        "swap_ask": "最後に{p}が持っているのは何ですか？|{p}の手元には何が残る？|{v}は今、誰が持っていますか？",
        ("liar_intro"): (
            "全員が、いつも本当のことを言うか、いつも嘘をつくかのどちらかです。|この村には正直者と嘘つきしかいない。|"
        ),
        "liar_start": "{a}は決して嘘をつかない|{a}は「氷は熱い」と言った|{a}が嘘つきであることは分かっている|{a}は正直者だ",
        "liar_lie": "{b}は「{a}は嘘をついている」と言う|{b}によると、{a}は嘘つきだ|{b}「{a}の話は全部嘘だよ」",
        "liar_true": "{b}は「{a}は正直だ」と言う|{b}によれば{a}の言葉は本当だ",
        "liar_ask": "{b}は本当のことを言っていますか？|{b}は嘘つきですか？|{b}を信じてよいか？",
        "today": "今日は{d}です|昨日は{d}だった|あさっては{d}です|おとといは{d}でした|明日は{d}だ",
        "day_ask": "では、明日は何曜日ですか？|十日後は何曜日？|三日前は何曜日でしたか？|しあさっては何曜日になりますか？",
        "shift_start": "予定{a}は{d}に行われる|会議{a}は{d}だ",
        "shift": "{b}は{a}の二日後だ|{b}は{a}の三日前にある|{b}は{a}の前日だ|{b}は{a}より五日遅い",
        "shift_ask": "{b}は何曜日ですか？|{b}の曜日を求めよ。",
        ("walk_intro"): (
            "ロボットが北を向いて立っていて、次の指示に従います。|あなたは噴水の前で東を向いています。|"
            "出発点は大きな木で、南を向いて始めます。|掃除機が西向きで動き出す。"
        ),
        ("moves"): (
            "{n}歩前に進む|左を向く|右を向く|後ろを向く|左に曲がって{n}歩進む|右に曲がって{n}歩進む|"
            "向きを変えずに{n}歩下がる"
        ),
        "walk_ask": "最後にどの方角を向いていますか？|出発点に戻りますか？|出発点は今どの方向にありますか？",
        ("lamp_if"): (
            "{a}ランプがつくと、{b}ランプもつく|{a}ランプが光っているときは必ず{b}ランプも光る|"
            "{b}ランプが消えていれば{a}ランプも消えている"
        ),
        "lamp_on": "{a}ランプがついている",
        "lamp_off": "{a}ランプは消えている",
        "lamp_ask": "{a}ランプはついていますか？|{a}ランプについて何が言えますか？|{a}ランプの状態は分かりますか？",
        "row_intro": "{n}人が一列に並んでいます：{list}。|ベンチに{list}の{n}人が座っている。|",
        "row_first": "一番左は{a}だ|左端に{a}がいる",
        "row_next": "{a}のすぐ右隣は{b}だ|{b}のすぐ左に{a}がいる|{b}は{a}の右隣に座っている",
        "row_ask": "左から{k}番目は誰ですか？|右端は誰？|左から順に全員答えてください。",
        "all": "{a}は全員{b}だ|すべての{a}は{b}である",
        "some": "{a}の中には{b}もいる|ある{a}は{b}である",
        "no": "{a}に{b}はいない|どの{a}も{b}ではない",
        "bool": "{e} の値は？|論理式 {e} を評価してください。|{e} は真ですか、偽ですか？",
    },
    "hi": {
        "names": "रोहन|अमित|विकास|समीर|करण|दीपक|मनीष|सुरेश|अरुण|निखिल|फ़ैसल|गौरव|राजन|तरुण|अनिल|हर्ष|मोहन|इमरान",
        "days": "सोमवार|मंगलवार|बुधवार|गुरुवार|शुक्रवार|शनिवार|रविवार",
        "things": "लाल मफ़लर|नीला कप|पुरानी घड़ी|लकड़ी की कंघी|पीला छाता|छोटी घंटी|लालटेन|ढोलक|पतंग|सीटी",
        "groups": "तैराक|शाकाहारी|कवि|माली|गोताखोर|गायक|चित्रकार|साइकिल सवार|शतरंज खिलाड़ी|नर्तक",
        "lamps": "लाल|हरी|नीली|पीली|सफ़ेद|बैंगनी|नारंगी|भूरी|गुलाबी|काली",
        ("cmp"): "{a} की उम्र {b} से ज़्यादा है|{b} की उम्र {a} से कम है|सबसे बड़ी उम्र किसकी है?|सबसे कम उम्र का कौन "
        "है?|इन्हें उम्र के घटते क्रम में लिखिए।"
        "||{a} {b} से लंबा है|{b} {a} से छोटे कद का है|सबसे लंबा कौन है?|सबसे छोटा कद किसका है?|सबको लंबाई के "
        "अनुसार क्रम में रखिए।"
        "||{a} {b} से पहले पहुँचा|{b} {a} के बाद पहुँचा|सबसे पहले कौन पहुँचा?|सबसे आख़िर में कौन पहुँचा?|पहुँचने "
        "का क्रम बताइए।",
        "follows": "क्या इससे यह निकलता है कि {c}?|क्या यह ज़रूर सच है कि {c}?|क्या हम कह सकते हैं कि {c}?",
        "hold": "{p} के पास {v} है|शुरू में {p} के पास {v} है|{p} को {v} मिलती या मिलता है",
        "swap": "{a} और {b} आपस में चीज़ें बदल लेते हैं|{b} {a} से अदला-बदली करता है|फिर {a} और {b} चीज़ें बदलते हैं",
        "swap_ask": "अंत में {p} के पास क्या है?|{p} के हाथ में क्या रह जाता है?|अब {v} किसके पास है?",
        "liar_intro": "हर व्यक्ति या तो हमेशा सच बोलता है या हमेशा झूठ।|इस गाँव में सिर्फ़ सच्चे और झूठे लोग रहते हैं।|",
        ("liar_start"): ("{a} कभी झूठ नहीं बोलता|{a} कहता है कि बर्फ़ गरम होती है|सबको पता है कि {a} हमेशा झूठ बोलता है|{a} सच्चा है"),
        "liar_lie": '{b} कहता है कि {a} झूठ बोलता है|{b}: "{a} झूठा है।"|{b} के अनुसार {a} पर भरोसा नहीं किया जा सकता',
        "liar_true": "{b} कहता है कि {a} सच बोलता है|{b} का कहना है कि {a} सच्चा है",
        "liar_ask": "क्या {b} सच बोलता है?|क्या {b} झूठा है?|क्या {b} पर विश्वास किया जा सकता है?",
        "today": "आज {d} है|परसों {d} होगा|बीते कल {d} था|आने वाले कल {d} है",
        "day_ask": "तीन दिन बाद कौन सा दिन होगा?|दस दिन बाद कौन सा वार होगा?|तीन दिन पहले कौन सा दिन था?",
        "shift_start": "बैठक {a} {d} को है|कार्यक्रम {a} {d} को है",
        ("shift"): ("{b}, {a} के दो दिन बाद है|{b}, {a} से तीन दिन पहले है|{b}, {a} से ठीक एक दिन पहले है|{b}, {a} के पाँच दिन बाद है"),
        "shift_ask": "{b} किस दिन है?|बताइए {b} कौन से वार को पड़ता है।",
        ("walk_intro"): (
            "एक रोबोट उत्तर की ओर मुँह करके खड़ा है और ये निर्देश मानता है।|आप फव्वारे के पास पूर्व की ओर देख रहे "
            "हैं।|शुरुआत बरगद के पेड़ से, मुँह दक्षिण की ओर।|एक आदमी पश्चिम की ओर देख रहा है।"
        ),
        "moves": "{n} कदम आगे चलो|बाएँ मुड़ो|दाएँ मुड़ो|पीछे मुड़ो|बाएँ मुड़कर {n} कदम चलो|बिना मुड़े {n} कदम पीछे हटो",
        "walk_ask": "अंत में मुँह किस दिशा में है?|क्या हम शुरुआती जगह पर लौट आए?|शुरुआती जगह अब किस दिशा में है?",
        ("lamp_if"): (
            "अगर {a} बत्ती जलती है तो {b} बत्ती भी जलती है|जब भी {a} बत्ती जलती है, {b} बत्ती जलती है|{b} बत्ती "
            "बुझी हो तो {a} बत्ती भी बुझी रहती है"
        ),
        "lamp_on": "{a} बत्ती जल रही है",
        "lamp_off": "{a} बत्ती बुझी हुई है",
        "lamp_ask": "क्या {a} बत्ती जल रही है?|{a} बत्ती के बारे में क्या कहा जा सकता है?",
        "row_intro": "{n} लोग एक कतार में खड़े हैं: {list}।|एक बेंच पर {n} लोग बैठे हैं: {list}।|",
        "row_first": "{a} सबसे बाएँ है|बाएँ छोर पर {a} है",
        "row_next": "{a} के ठीक दाएँ {b} है|{b} के ठीक बाएँ {a} है|{b}, {a} के बगल में दाईं ओर है",
        "row_ask": "बाएँ से स्थान {k} पर कौन है?|सबसे दाएँ कौन है?|बाएँ से दाएँ पूरा क्रम लिखिए।",
        "all": "सभी {a} {b} हैं|हर {a} {b} भी है",
        "some": "कुछ {a} {b} हैं",
        "no": "कोई भी {a} {b} नहीं है|एक भी {a} {b} नहीं",
        "bool": "{e} का मान क्या है?|यह सत्य है या असत्य: {e}|तार्किक व्यंजक {e} हल कीजिए।",
    },
    "ar": {
        "names": "سامر|خالد|يوسف|ماجد|رامي|طارق|فؤاد|نبيل|هشام|وليد|كريم|زياد|عمر|باسم|أنس|جمال|فارس|حسن",
        "days": "الاثنين|الثلاثاء|الأربعاء|الخميس|الجمعة|السبت|الأحد",
        ("things"): (
            "الوشاح الأحمر|الكوب الأزرق|الساعة القديمة|المشط الخشبي|المظلة الصفراء|الجرس الصغير|الفانوس|الطبلة|"
            "الصافرة|البوصلة"
        ),
        "groups": "شاعر|سباح|نباتي|بستاني|غواص|رسام|نجار|عازف|خباز|طيار",
        "lamps": "الأحمر|الأخضر|الأزرق|الأصفر|الأبيض|البنفسجي|البرتقالي|الرمادي|الوردي|الأسود",
        "cmp": "{a} أكبر سنًّا من {b}|{b} أصغر من {a}|من هو الأكبر سنًّا؟|من هو الأصغر سنًّا؟|رتّبهم من الأكبر إلى الأصغر."
        "||{a} أطول من {b}|{b} أقصر من {a}|من هو الأطول؟|من هو الأقصر بينهم؟|رتّبهم حسب الطول."
        "||وصل {a} قبل {b}|وصل {b} بعد {a}|من وصل أولًا؟|من وصل أخيرًا؟|اكتب ترتيب الوصول.",
        "follows": "هل نستنتج من ذلك أن: {c}؟|هل العبارة «{c}» صحيحة حتمًا؟",
        "hold": "مع {p} {v}|في البداية مع {p} {v}|حصل {p} على {v}",
        "swap": "تبادل {a} و{b} ما معهما|بدّل {b} مع {a}|ثم جرى تبادل بين {a} و{b}",
        "swap_ask": "ماذا مع {p} في النهاية؟|ما الشيء الذي بقي مع {p}؟|مع من {v} الآن؟",
        "liar_intro": "كل شخص إما صادق دائمًا أو كاذب دائمًا.|في القرية صادقون وكاذبون فقط.|",
        "liar_start": "{a} لا يكذب أبدًا|يقول {a} إن الثلج ساخن|من المعروف أن {a} كاذب|{a} صادق",
        "liar_lie": "يقول {b} إن {a} يكذب|{b}: «{a} كاذب»|بحسب {b} لا يقول {a} الحقيقة",
        "liar_true": "يقول {b} إن {a} صادق|يؤكد {b} أن {a} يقول الحقيقة",
        "liar_ask": "هل يقول {b} الحقيقة؟|هل {b} كاذب؟|هل يمكن تصديق {b}؟",
        "today": "اليوم هو {d}|كان أمس {d}|بعد غد هو {d}|كان أول أمس {d}|غدًا {d}",
        ("day_ask"): (
            "ما اليوم الذي يأتي بعد ثلاثة أيام من الآن؟|أي يوم من الأسبوع سيكون بعد عشرة أيام؟|أي يوم كان قبل ثلاثة أيام؟"
        ),
        "shift_start": "الموعد {a} يوم {d}|الاجتماع {a} يقع يوم {d}",
        "shift": "{b} بعد {a} بيومين|{b} قبل {a} بثلاثة أيام|{b} في اليوم السابق لـ {a}|{b} بعد {a} بخمسة أيام",
        "shift_ask": "في أي يوم من الأسبوع يقع {b}؟|متى يكون {b}؟",
        ("walk_intro"): (
            "يقف روبوت ووجهه إلى الشمال وينفذ الأوامر التالية.|تقف عند النافورة ووجهك إلى الشرق.|تبدأ من الشجرة "
            "متجهًا إلى الجنوب.|تنطلق الطائرة الصغيرة نحو الغرب."
        ),
        ("moves"): (
            "تقدم {n} خطوات|انعطف يسارًا|انعطف يمينًا|استدر إلى الخلف|انعطف يسارًا ثم تقدم {n} خطوات|تراجع {n} "
            "خطوات دون أن تستدير"
        ),
        "walk_ask": "إلى أي جهة يكون الاتجاه في النهاية؟|هل عدنا إلى نقطة البداية؟|في أي جهة تقع نقطة البداية الآن؟",
        ("lamp_if"): (
            "إذا أضاء المصباح {a} أضاء المصباح {b}|كلما اشتعل المصباح {a} اشتعل المصباح {b}|لا يضيء المصباح {a} "
            "إلا مع المصباح {b}"
        ),
        "lamp_on": "المصباح {a} مضاء",
        "lamp_off": "المصباح {a} مطفأ",
        "lamp_ask": "هل المصباح {a} مضاء؟|ماذا نعرف عن المصباح {a}؟",
        "row_intro": "يقف {list} في صف واحد.|يجلس على المقعد {list}.|",
        "row_first": "{a} في أقصى اليمين|المكان الأول من اليمين لـ {a}",
        "row_next": "{b} على يسار {a} مباشرة|{a} على يمين {b} مباشرة|بعد {a} مباشرة نجد {b} جهة اليسار",
        "row_ask": "من في المكان رقم {k} من اليمين؟|من في أقصى اليسار؟|اكتب الترتيب من اليمين إلى اليسار.",
        "all": "كل {a} {b}",
        "some": "يوجد {a} واحد على الأقل هو أيضًا {b}",
        "no": "لا يوجد {a} يكون {b}",
        "bool": "ما قيمة {e}؟|احسب العبارة المنطقية {e}|صح أم خطأ: {e}",
    },
    "pt": {
        ("names"): (
            "Beatriz|Caio|Lorena|Davi|Isadora|Heitor|Yasmin|Otávio|Manuela|Vicente|Teresa|Duarte|Leonor|Afonso|"
            "Jussara|Raul|Cecília|Murilo"
        ),
        "days": "segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira|sábado|domingo",
        ("things"): (
            "o cachecol vermelho|uma caneca azul|o relógio velho|um pente de madeira|o guarda-chuva amarelo|um "
            "sininho|a lanterna|um tambor|a pipa|um apito"
        ),
        ("groups"): (
            "apicultores|nadadores|vegetarianos|tenores|colecionadores de selos|madrugadores|poetas|mergulhadores|"
            "chaveiros|jardineiros|ciclistas"
        ),
        "lamps": "vermelha|verde|azul|amarela|branca|roxa|laranja|cinza|rosa|preta",
        ("cmp"): "{a} tem mais anos que {b}|{b} tem menos idade que {a}|Quem tem mais idade?|Quem tem menos idade?|"
        "Coloque-os em ordem de idade."
        "||{a} corre mais rápido que {b}|{b} corre mais devagar que {a}|Quem corre mais rápido?|Quem é o mais "
        "lento?|Escreva a classificação."
        "||{a} chegou antes de {b}|{b} chegou depois de {a}|Quem chegou primeiro?|Quem chegou por último?|Qual foi "
        "a ordem de chegada?",
        "follows": "Dá para concluir que {c}?|É necessariamente verdade que {c}?|Segue daí que {c}?",
        "hold": "{p} tem {v}|{p} recebe {v}|No começo, {p} fica com {v}",
        "swap": "{a} e {b} trocam o que têm|{b} faz uma troca com {a}|Depois {a} troca com {b}",
        "swap_ask": "Com o que {p} fica no final?|O que {p} tem agora?|Quem acaba com {v}?",
        ("liar_intro"): (
            "Cada pessoa sempre diz a verdade ou sempre mente.|Na vila só há gente que nunca mente e gente que "
            "mente sempre.|"
        ),
        "liar_start": "{a} nunca mente|{a} diz que o gelo é quente|Sabe-se que {a} sempre mente|{a} diz a verdade",
        "liar_lie": '{b} diz que {a} mente|{b}: "{a} está mentindo"|Segundo {b}, não se pode acreditar em {a}',
        "liar_true": "{b} diz que {a} fala a verdade|{b} garante que {a} não mente",
        "liar_ask": "{b} diz a verdade?|{b} está mentindo?|Dá para acreditar em {b}?",
        "today": "Hoje é {d}|Ontem foi {d}|Depois de amanhã será {d}|Anteontem foi {d}|Amanhã é {d}",
        "day_ask": "Que dia da semana será amanhã?|Que dia será daqui a dez dias?|Que dia foi há três dias?",
        "shift_start": "A reunião {a} está marcada para {d}|O dia do encontro {a} é {d}",
        ("shift"): (
            "{b} é dois dias depois de {a}|{b} é três dias antes de {a}|{b} é na véspera de {a}|{b} vem cinco dias após {a}"
        ),
        "shift_ask": "Em que dia da semana cai {b}?|Quando é {b}?",
        ("walk_intro"): (
            "Um robô olha para o norte e recebe estas ordens.|Você está na fonte, virado para o leste.|A caminhada "
            "começa no carvalho, de frente para o sul.|O drone parte apontando para oeste."
        ),
        ("moves"): (
            "Avance {n} passos|Vire à esquerda|Vire à direita|Dê meia-volta|Vire à direita e ande {n} passos|Ande "
            "{n} passos para trás sem se virar"
        ),
        "walk_ask": "Para que lado se olha no fim?|Volta-se ao ponto de partida?|Em que direção está o início agora?",
        ("lamp_if"): (
            "Se a luz {a} está acesa, a {b} também está|Sempre que a luz {a} acende, a {b} acende|A luz {a} nunca "
            "fica acesa sem a {b}"
        ),
        "lamp_on": "A luz {a} está acesa",
        "lamp_off": "A luz {a} está apagada",
        "lamp_ask": "A luz {a} está acesa?|O que se sabe da luz {a}?|Dá para saber se a luz {a} está acesa?",
        "row_intro": "{n} amigos estão na fila: {list}.|Num banco há {n} pessoas: {list}.|",
        "row_first": "{a} está no primeiro lugar|O início da fila é de {a}",
        "row_next": "{b} vem logo depois de {a}|{a} está imediatamente antes de {b}|Logo atrás de {a} está {b}",
        "row_ask": "Quem está na posição {k}?|Quem está no fim?|Escreva a ordem completa.",
        "all": "Todos os {a} são {b}|Quem está entre os {a} está entre os {b}",
        "some": "Alguns {a} são {b}",
        "no": "Nenhum dos {a} está entre os {b}|Não há {b} entre os {a}",
        "bool": "Quanto vale {e}?|Avalie a expressão lógica {e}|Verdadeiro ou falso: {e}",
    },
    "vi": {
        "names": "Hương|Minh|Thảo|Quân|Lan|Dũng|Trang|Khoa|Mai|Phúc|Yến|Sơn|Ngọc|Tuấn|Vy|Long|Hạnh|Bình",
        "days": "thứ hai|thứ ba|thứ tư|thứ năm|thứ sáu|thứ bảy|chủ nhật",
        ("things"): (
            "chiếc khăn đỏ|cái cốc xanh|chiếc đồng hồ cũ|cái lược gỗ|chiếc ô vàng|cái chuông nhỏ|đèn lồng|cái "
            "trống|con diều|cái còi"
        ),
        ("groups"): (
            "người nuôi ong|vận động viên bơi|người ăn chay|nhà thơ|thợ lặn|thợ khóa|người làm vườn|họa sĩ|thợ may|"
            "người dậy sớm"
        ),
        "lamps": "đỏ|xanh lá|xanh dương|vàng|trắng|tím|cam|xám|hồng|nâu",
        "cmp": "{a} cao hơn {b}|{b} thấp hơn {a}|Ai cao nhất?|Ai thấp nhất?|Xếp mọi người từ cao đến thấp."
        "||{a} lớn tuổi hơn {b}|{b} trẻ hơn {a}|Ai lớn tuổi nhất?|Ai trẻ nhất?|Sắp xếp theo tuổi giảm dần."
        "||{a} về đích trước {b}|{b} chạy chậm hơn {a}|Ai về nhất?|Ai về cuối cùng?|Hãy ghi thứ hạng.",
        "follows": "Có thể kết luận rằng {c} không?|Có chắc chắn là {c} không?|Từ đó có suy ra {c} không?",
        "hold": "{p} cầm {v}|Lúc đầu {p} có {v}|{p} nhận {v}",
        "swap": "{a} và {b} đổi đồ cho nhau|{b} trao đổi với {a}|Sau đó {a} đổi với {b}",
        "swap_ask": "Cuối cùng {p} cầm gì?|Bây giờ {p} có món nào?|Ai đang giữ {v}?",
        "liar_intro": "Mỗi người hoặc luôn nói thật hoặc luôn nói dối.|Trong làng chỉ có người thật thà và kẻ nói dối.|",
        "liar_start": "{a} không bao giờ nói dối|{a} bảo rằng nước đá thì nóng|Ai cũng biết {a} luôn nói dối|{a} nói thật",
        "liar_lie": '{b} nói rằng {a} nói dối|{b}: "{a} đang nói dối"|Theo {b} thì không nên tin {a}',
        "liar_true": "{b} nói rằng {a} nói thật|{b} khẳng định {a} không nói dối",
        "liar_ask": "{b} có nói thật không?|{b} có phải kẻ nói dối không?|Có tin được {b} không?",
        "today": "Hôm nay là {d}|Hôm qua là {d}|Ngày kia là {d}|Hôm kia là {d}|Ngày mai là {d}",
        "day_ask": "Vậy ngày mai là thứ mấy?|Mười ngày nữa là thứ mấy?|Ba ngày trước là thứ mấy?",
        "shift_start": "Buổi họp {a} vào {d}|Sự kiện {a} diễn ra vào {d}",
        "shift": "{b} sau {a} hai ngày|{b} trước {a} ba ngày|{b} là ngày liền trước {a}|{b} muộn hơn {a} năm ngày",
        "shift_ask": "{b} rơi vào thứ mấy?|Hỏi {b} là thứ mấy?",
        ("walk_intro"): (
            "Một con robot đứng quay mặt về hướng bắc và nhận các lệnh sau.|Bạn đứng ở đài phun nước, nhìn về "
            "hướng đông.|Xuất phát từ gốc cây đa, mặt hướng nam.|Chiếc drone bay về hướng tây lúc đầu."
        ),
        "moves": "Đi thẳng {n} bước|Rẽ trái|Rẽ phải|Quay đằng sau|Rẽ trái rồi đi {n} bước|Lùi {n} bước mà không quay người",
        "walk_ask": "Cuối cùng đang nhìn về hướng nào?|Có quay lại chỗ cũ không?|Điểm xuất phát nằm ở hướng nào?",
        ("lamp_if"): (
            "Nếu đèn {a} sáng thì đèn {b} cũng sáng|Hễ đèn {a} bật là đèn {b} bật|Đèn {a} không bao giờ sáng khi đèn {b} tắt"
        ),
        "lamp_on": "Đèn {a} đang sáng",
        "lamp_off": "Đèn {a} đang tắt",
        "lamp_ask": "Đèn {a} có sáng không?|Biết gì về đèn {a}?",
        "row_intro": "{n} người xếp thành một hàng: {list}.|Trên ghế dài có {n} người: {list}.|",
        "row_first": "{a} đứng đầu hàng|Vị trí đầu tiên là của {a}",
        "row_next": "{b} ở ngay sau {a}|{a} đứng ngay trước {b}|Liền sau {a} là {b}",
        "row_ask": "Ai đứng ở vị trí thứ {k}?|Ai ở cuối hàng?|Viết lại toàn bộ thứ tự.",
        "all": "Mọi {a} đều là {b}|Tất cả {a} là {b}",
        "some": "Có {a} là {b}|Một số {a} là {b}",
        "no": "Không {a} nào là {b}",
        "bool": "{e} cho kết quả gì?|Tính giá trị logic của {e}|Đúng hay sai: {e}",
    },
    "tr": {
        "names": "Deniz|Cem|Selin|Emre|Kerem|Defne|Ece|Nermin|Yeliz|Sinem|Eren|Ferdi|Metin|Pelin|Çetin|Hale|Ege|Ayten",
        "days": "pazartesi|salı|çarşamba|perşembe|cuma|cumartesi|pazar",
        "things": "kırmızı atkı|mavi fincan|eski saat|tahta tarak|sarı şemsiye|küçük çan|fener|davul|uçurtma|düdük",
        "groups": "arıcı|yüzücü|vejetaryen|şair|dalgıç|çilingir|bahçıvan|bisikletçi|ressam|fırıncı",
        "lamps": "kırmızı|yeşil|mavi|sarı|beyaz|mor|turuncu|gri|pembe|siyah",
        "cmp": "{a}, {b}'den daha uzun|{b}, {a}'den daha kısa|En uzun kim?|En kısa kim?|Uzundan kısaya doğru sırala."
        "||{a}, {b}'den daha yaşlı|{b}, {a}'den daha genç|En yaşlı olan kim?|En genç kim?|Yaşa göre sırala."
        "||{a} yarışı {b}'den önce bitirdi|{b}, {a}'den sonra geldi|Yarışı kim kazandı?|Sonuncu kim?|Sıralamayı yaz.",
        "follows": "Buradan şu sonuç çıkar mı: {c}?|Şu kesinlikle doğru mu: {c}?",
        "hold": "{p} adlı çocukta {v} var|Başta {v} şu kişide: {p}|{p}: {v}",
        "swap": "{a} ile {b} ellerindekini değiştiriyor|{b} ile {a} takas yapıyor|Sonra {a} ve {b} değiş tokuş ediyor",
        "swap_ask": "Sonunda {p} hangi eşyaya sahip?|{p} şimdi neyi tutuyor?|En son {v} kimde?",
        "liar_intro": "Herkes ya hep doğru söyler ya hep yalan söyler.|Bu köyde yalnızca dürüstler ve yalancılar yaşar.|",
        "liar_start": "{a} asla yalan söylemez|{a} buzun sıcak olduğunu söylüyor|{a} her zaman yalan söyler|{a} dürüst biri",
        "liar_lie": '{b}: "{a} yalan söylüyor."|{b} şöyle diyor: {a} bir yalancı|{b}, "{a} hiç doğru konuşmaz" diyor',
        "liar_true": '{b}: "{a} doğru söylüyor."|{b} şöyle diyor: {a} dürüst',
        "liar_ask": "{b} doğru mu söylüyor?|{b} yalancı mı?|{b} yalan mı söylüyor?",
        "today": "Bugün günlerden {d}|Dün günlerden {d} idi|Yarından sonraki gün {d}|Yarın {d}",
        "day_ask": "Üç gün sonra günlerden ne?|On gün sonra hangi gün olacak?|Üç gün önce hangi gündü?",
        "shift_start": "{a} toplantısı {d} günü|{a} etkinliği {d} gününe denk geliyor",
        ("shift"): (
            "{b}, {a} gününden iki gün sonra|{b}, {a} gününden üç gün önce|{b}, {a} gününden bir önceki gün|{b}, "
            "{a} gününden beş gün sonra"
        ),
        "shift_ask": "{b} hangi güne denk gelir?|{b} haftanın hangi günü?",
        ("walk_intro"): (
            "Bir robot yüzü kuzeye dönük duruyor ve şu komutları alıyor.|Çeşmenin yanındasın, doğuya bakıyorsun.|"
            "Yürüyüş çınardan başlıyor, yön güney.|Drone batıya bakarak kalkıyor."
        ),
        "moves": "{n} adım ileri git|Sola dön|Sağa dön|Arkana dön|Sola dönüp {n} adım git|Dönmeden {n} adım geri git",
        "walk_ask": "Sonunda hangi yöne bakılıyor?|Başlangıç noktasına dönüldü mü?|Başlangıç noktası şimdi hangi yönde?",
        ("lamp_if"): (
            "{a} lamba yanıyorsa {b} lamba da yanıyordur|Ne zaman {a} lamba yansa {b} lamba da yanar|{b} lamba "
            "sönükken {a} lamba hiç yanmaz"
        ),
        "lamp_on": "{a} lamba yanıyor",
        "lamp_off": "{a} lamba sönük",
        "lamp_ask": "{a} lamba yanıyor mu?|{a} lamba hakkında ne söylenebilir?",
        "row_intro": "{n} kişi sırada bekliyor: {list}.|Bir bankta {n} kişi oturuyor: {list}.|",
        "row_first": "En başta {a} var|İlk sıra {a} için ayrılmış",
        "row_next": "{b}, {a}'den hemen sonra geliyor|{a}, {b}'den hemen önce|{b} tam olarak {a}'den sonraki kişi",
        "row_ask": "{k}. sırada kim var?|En sonda kim var?|Sıranın tamamını yaz.",
        "all": "Her {a} aynı zamanda {b}|Bütün {a} olanlar {b} sayılır",
        "some": "Bazı {a} olanlar aynı zamanda {b}",
        "no": "Hiçbir {a} aynı zamanda {b} değil",
        "bool": "{e} ifadesinin değeri nedir?|Doğru mu yanlış mı: {e}|Şu mantık ifadesini hesapla: {e}",
    },
    "id": {
        ("names"): (
            "Dewi|Bagus|Ratna|Hendra|Sari|Joko|Wulan|Fajar|Nining|Agus|Melati|Rizal|Intan|Yoga|Kirana|Slamet|Tiara|Bima"
        ),
        "days": "Senin|Selasa|Rabu|Kamis|Jumat|Sabtu|Minggu",
        ("things"): (
            "syal merah|cangkir biru|jam tua|sisir kayu|payung kuning|lonceng kecil|lentera|gendang|layang-layang|peluit"
        ),
        "groups": "peternak lebah|perenang|vegetarian|penyair|penyelam|tukang kunci|tukang kebun|pesepeda|pelukis|guru",
        "lamps": "merah|hijau|biru|kuning|putih|ungu|jingga|abu-abu|merah muda|cokelat",
        ("cmp"): "{a} lebih tinggi daripada {b}|{b} lebih pendek dari {a}|Siapa yang paling tinggi?|Siapa paling "
        "pendek?|Urutkan dari yang tertinggi."
        "||{a} lebih tua dari {b}|{b} lebih muda daripada {a}|Siapa yang paling tua?|Siapa yang termuda?|Susun menurut umur."
        "||{a} sampai di garis akhir sebelum {b}|{b} kalah cepat dari {a}|Siapa juaranya?|Siapa yang terakhir?|"
        "Tuliskan urutan finisnya.",
        "follows": "Apakah bisa disimpulkan bahwa {c}?|Apakah pasti benar bahwa {c}?",
        "hold": "{p} memegang {v}|Mula-mula {p} punya {v}|{p} mendapat {v}",
        "swap": "{a} dan {b} bertukar barang|{b} menukar barangnya dengan {a}|Lalu {a} bertukar dengan {b}",
        ("swap_ask"): (
            "Apa yang dipegang {p} pada akhirnya?|Barang apa yang sekarang ada pada {p}?|Siapa yang memegang {v} sekarang?"
        ),
        "liar_intro": "Setiap orang selalu jujur atau selalu berbohong.|Di desa itu hanya ada orang jujur dan pembohong.|",
        ("liar_start"): (
            "{a} tidak pernah berbohong|{a} berkata bahwa es itu panas|Semua tahu {a} selalu berbohong|{a} orang jujur"
        ),
        "liar_lie": '{b} bilang {a} berbohong|{b}: "{a} itu pembohong"|Menurut {b}, {a} tidak bisa dipercaya',
        "liar_true": "{b} bilang {a} jujur|{b} yakin {a} berkata benar, dan mengatakannya",
        "liar_ask": "Apakah {b} berkata benar?|Apakah {b} pembohong?|Bisakah {b} dipercaya?",
        "today": "Hari ini {d}|Kemarin hari {d}|Lusa hari {d}|Besok {d}",
        "day_ask": "Hari apa tiga hari lagi?|Sepuluh hari lagi hari apa?|Tiga hari yang lalu hari apa?",
        "shift_start": "Rapat {a} jatuh pada hari {d}|Acara {a} diadakan hari {d}",
        "shift": "{b} dua hari setelah {a}|{b} tiga hari sebelum {a}|{b} sehari sebelum {a}|{b} lima hari sesudah {a}",
        "shift_ask": "{b} jatuh pada hari apa?|Hari apa {b}?",
        ("walk_intro"): (
            "Sebuah robot menghadap utara dan menerima perintah ini.|Kamu berdiri di air mancur menghadap timur.|"
            "Mulai dari pohon beringin, menghadap selatan.|Drone mulai dengan arah barat."
        ),
        ("moves"): (
            "Maju {n} langkah|Belok kiri|Belok kanan|Balik badan|Belok kiri lalu maju {n} langkah|Mundur {n} "
            "langkah tanpa berputar"
        ),
        "walk_ask": "Akhirnya menghadap ke mana?|Apakah kembali ke titik awal?|Di arah mana titik awal sekarang?",
        ("lamp_if"): (
            "Jika lampu {a} menyala, lampu {b} juga menyala|Setiap kali lampu {a} hidup, lampu {b} hidup|Lampu {a} "
            "tidak pernah menyala tanpa lampu {b}"
        ),
        "lamp_on": "Lampu {a} menyala",
        "lamp_off": "Lampu {a} padam",
        "lamp_ask": "Apakah lampu {a} menyala?|Apa yang kita ketahui tentang lampu {a}?",
        "row_intro": "{n} orang berdiri dalam satu barisan: {list}.|Di bangku panjang duduk {n} orang: {list}.|",
        "row_first": "{a} berada paling depan|Tempat pertama milik {a}",
        "row_next": "{b} tepat di belakang {a}|{a} persis di depan {b}|Sesudah {a} langsung {b}",
        "row_ask": "Siapa di urutan ke-{k}?|Siapa yang paling belakang?|Tuliskan seluruh urutannya.",
        "all": "Semua {a} adalah {b}|Setiap {a} juga {b}",
        "some": "Beberapa {a} adalah {b}|Ada {a} yang juga {b}",
        "no": "Tidak ada {a} yang merupakan {b}",
        "bool": "Berapa nilai kebenaran {e}?|Benar atau salah: {e}|Hitung ekspresi logika {e}",
    },
    "sw": {
        ("names"): (
            "Amina|Juma|Neema|Baraka|Zawadi|Hamisi|Rehema|Musa|Halima|Kito|Farida|Daudi|Asha|Rashidi|Subira|Yusufu|"
            "Tatu|Salim"
        ),
        "days": "Jumatatu|Jumanne|Jumatano|Alhamisi|Ijumaa|Jumamosi|Jumapili",
        ("things"): (
            "skafu nyekundu|kikombe cha bluu|saa ya zamani|kitana cha mbao|mwavuli wa njano|kengele ndogo|taa ya "
            "mkono|ngoma|tiara|filimbi"
        ),
        "groups": "wafugaji wa nyuki|waogeleaji|walimu|washairi|wapiga mbizi|mafundi|wakulima|waimbaji|wachoraji|waokaji",
        "lamps": "nyekundu|ya kijani|ya bluu|ya njano|nyeupe|ya zambarau|ya machungwa|ya kijivu|ya waridi|nyeusi",
        ("cmp"): "{a} ni mrefu kuliko {b}|{b} ni mfupi kuliko {a}|Nani ni mrefu zaidi?|Nani ni mfupi kuliko wote?|"
        "Wapange kuanzia mrefu hadi mfupi."
        "||{a} ana umri mkubwa kuliko {b}|{b} ana umri mdogo kuliko {a}|Nani ana umri mkubwa zaidi?|Nani ana umri "
        "mdogo zaidi?|Wapange kwa umri."
        "||{a} alifika kabla ya {b}|{b} alifika baada ya {a}|Nani alifika wa kwanza?|Nani alifika mwisho?|Andika "
        "mpangilio wa kufika.",
        "follows": "Je, tunaweza kusema kwamba {c}?|Je, ni lazima iwe kweli kwamba {c}?",
        "hold": "{p} ana {v}|Mwanzoni {p} ana {v}|{p} amepewa {v}",
        "swap": "{a} na {b} wanabadilishana vitu|{b} anabadilishana na {a}|Kisha {a} na {b} wanabadilishana",
        "swap_ask": "Mwishoni {p} ana nini?|Sasa {p} ameshika kitu gani?|Nani ana {v} sasa?",
        "liar_intro": "Kila mtu husema kweli daima au hudanganya daima.|Kijijini kuna wakweli na waongo tu.|",
        "liar_start": "{a} hadanganyi kamwe|{a} anasema barafu ni moto|Inajulikana kwamba {a} ni mwongo|{a} husema kweli",
        "liar_lie": '{b} anasema {a} anadanganya|{b}: "{a} ni mwongo"|Kwa mujibu wa {b}, {a} hasemi kweli',
        "liar_true": "{b} anasema {a} ni mkweli|{b} anasema {a} husema kweli",
        "liar_ask": "Je, {b} anasema kweli?|Je, {b} ni mwongo?|Je, tunaweza kumwamini {b}?",
        "today": "Leo ni {d}|Jana ilikuwa {d}|Keshokutwa ni {d}|Juzi ilikuwa {d}|Kesho ni {d}",
        ("day_ask"): (
            "Baada ya siku tatu itakuwa siku gani?|Siku kumi zijazo itakuwa siku gani?|Siku tatu zilizopita "
            "ilikuwa siku gani?"
        ),
        "shift_start": "Mkutano {a} ni {d}|Tukio {a} liko {d}",
        ("shift"): (
            "{b} ni siku mbili baada ya {a}|{b} ni siku tatu kabla ya {a}|{b} ni siku moja kabla ya {a}|{b} ni "
            "siku tano baada ya {a}"
        ),
        "shift_ask": "{b} ni siku gani ya wiki?|Je, {b} itakuwa siku gani?",
        ("walk_intro"): (
            "Roboti inatazama kaskazini na kupokea amri hizi.|Umesimama kwenye chemchemi ukitazama mashariki.|"
            "Safari inaanzia kwenye mbuyu, ukitazama kusini.|Mtu amesimama akitazama magharibi."
        ),
        ("moves"): (
            "Nenda mbele hatua {n}|Geuka kushoto|Geuka kulia|Geuka nyuma|Geuka kushoto kisha nenda hatua {n}|Rudi "
            "nyuma hatua {n} bila kugeuka"
        ),
        ("walk_ask"): (
            "Mwishoni anatazama upande gani?|Je, tumerudi mahali pa kuanzia?|Mahali pa kuanzia pako upande gani sasa?"
        ),
        ("lamp_if"): (
            "Ikiwa taa {a} inawaka, taa {b} pia inawaka|Kila mara taa {a} inapowaka, taa {b} huwaka|Taa {a} "
            "haiwaki kamwe bila taa {b}"
        ),
        "lamp_on": "Taa {a} inawaka",
        "lamp_off": "Taa {a} imezimwa",
        "lamp_ask": "Je, taa {a} inawaka?|Tunajua nini kuhusu taa {a}?",
        "row_intro": "Watu {n} wamesimama kwenye foleni: {list}.|Kwenye benchi wamekaa watu {n}: {list}.|",
        "row_first": "{a} yuko mbele kabisa|Nafasi ya kwanza ni ya {a}",
        "row_next": "{b} yuko moja kwa moja nyuma ya {a}|{a} yuko mbele ya {b} bila mtu kati yao|Baada ya {a} anafuata {b}",
        "row_ask": "Nani yuko nafasi ya {k}?|Nani yuko nyuma kabisa?|Andika mpangilio wote.",
        "all": "{a} wote ni {b}|Kila aliye kati ya {a} yuko kati ya {b}",
        "some": "Baadhi ya {a} ni {b}",
        "no": "Hakuna {a} ambao ni {b}",
        "bool": "Thamani ya {e} ni nini?|Kweli au si kweli: {e}|Tathmini usemi wa mantiki {e}",
    },
}
LANGUAGES = tuple(PHRASES)


def _list(language: str, key: str) -> list[str]:
    return PHRASES[language][key].split("|")


def _one(rng: random.Random, language: str, key: str, **slots: object) -> str:
    return rng.choice(_list(language, key)).format(**slots)


def _names(rng: random.Random, language: str, count: int) -> list[str]:
    return rng.sample(_list(language, "names"), count)


def _listed(language: str, items: list[str]) -> str:
    return {"zh": "、", "ja": "、", "ar": "، "}.get(language, ", ").join(items)


def _bare(sentence: str, language: str) -> str:
    """A sentence without its capital, to stand inside another; German and names keep theirs."""
    first = sentence.split(" ")[0]
    keep = language == "de" or first.strip(",") in _list(language, "names")
    return sentence if keep else sentence[:1].lower() + sentence[1:]


def ranking(rng: random.Random, steps: int, language: str) -> Draft:
    """A chain of comparisons."""
    more, less, top, bottom, order = rng.choice(PHRASES[language]["cmp"].split("||")).split("|")
    chain = _names(rng, language, steps + 1)
    facts = [rng.choice([more, less]).format(a=a, b=b) for a, b in pairwise(chain)]
    rng.shuffle(facts)
    if rng.random() < 0.25:
        claim = rng.choice([more, less]).format(a=chain[0], b=chain[-1])
        return Draft("", facts, _one(rng, language, "follows", c=claim), yes_no=True)
    question = rng.choice([top, bottom, order])
    return Draft("", facts, question, rng.sample(chain, len(chain)) if question != order and steps < 6 else [])


def swaps(rng: random.Random, steps: int, language: str) -> Draft:
    """Exchanged things."""
    names = _names(rng, language, rng.randint(3, 5))
    things = rng.sample(_list(language, "things"), len(names))
    hold = rng.choice(_list(language, "hold"))
    facts = [hold.format(p=p, v=v) for p, v in zip(names, things, strict=True)]
    held = dict(zip(names, things, strict=True))
    for a, b in swap_pairs(rng, names, steps):
        held[a], held[b] = held[b], held[a]
        facts.append(_one(rng, language, "swap", a=a, b=b))
    ask = rng.choice(_list(language, "swap_ask"))
    options = names if "{v}" in ask else things
    return Draft("", facts, ask.format(p=a, v=held[a]), rng.sample(options, len(options)))


def liars(rng: random.Random, steps: int, language: str) -> Draft:
    """Each speaks about the one before."""
    names = _names(rng, language, steps)
    facts = [_one(rng, language, "liar_start", a=names[0])]
    for a, b in pairwise(names):
        facts.append(_one(rng, language, "liar_lie" if rng.random() < 0.6 else "liar_true", a=a, b=b))
    return Draft(_one(rng, language, "liar_intro"), facts, _one(rng, language, "liar_ask", b=names[-1]), yes_no=True)


def weekdays(rng: random.Random, steps: int, language: str) -> Draft:
    """Days of the week."""
    day = rng.choice(_list(language, "days"))
    if steps == 1 or (steps == 2 and rng.random() < 0.7):
        anchors = _list(language, "today")
        anchor = anchors[0] if steps == 1 else rng.choice(anchors[1:])
        options = rng.sample(_list(language, "days"), 4) if rng.random() < 0.2 else []
        return Draft("", [anchor.format(d=day)], _one(rng, language, "day_ask"), options)
    labels = rng.choice(["ABCDEFGH", "PQRSTUVW", "KLMNOPQR", "XYZUVWST"])[:steps]
    facts = [_one(rng, language, "shift_start", a=labels[0], d=day)]
    facts += [_one(rng, language, "shift", a=a, b=b) for a, b in pairwise(labels)]
    rng.shuffle(facts)
    return Draft("", facts, _one(rng, language, "shift_ask", b=labels[-1]))


def walk(rng: random.Random, steps: int, language: str) -> Draft:
    """Turns and steps."""
    facts = [_one(rng, language, "moves", n=rng.randint(3, 10)) for _ in range(steps)]
    return Draft(_one(rng, language, "walk_intro"), facts, _one(rng, language, "walk_ask"))


def lamps(rng: random.Random, steps: int, language: str) -> Draft:
    """If-then rules about lamps, forwards or backwards."""
    chain = rng.sample(_list(language, "lamps"), steps + 1)
    facts = [_one(rng, language, "lamp_if", a=a, b=b) for a, b in pairwise(chain)]
    forwards = rng.random() < 0.6
    facts.append(_one(rng, language, "lamp_on" if forwards else "lamp_off", a=chain[0 if forwards else -1]))
    rng.shuffle(facts)
    return Draft("", facts, _one(rng, language, "lamp_ask", a=chain[-1 if forwards else 0]), yes_no=rng.random() < 0.5)


def row(rng: random.Random, steps: int, language: str) -> Draft:
    """People in a line."""
    line = _names(rng, language, steps)
    facts = [_one(rng, language, "row_first", a=line[0])]
    facts += [_one(rng, language, "row_next", a=a, b=b) for a, b in pairwise(line)]
    rng.shuffle(facts)
    intro = _one(rng, language, "row_intro", n=steps, list=_listed(language, rng.sample(line, steps)))
    ask = rng.choice(_list(language, "row_ask"))
    options = rng.sample(line, steps) if "?" in ask or "？" in ask else []
    return Draft(intro, facts, ask.format(k=rng.randint(2, steps)), options if steps < 7 else [])


def groups(rng: random.Random, steps: int, language: str) -> Draft:
    """Statements about groups and a conclusion."""
    terms = rng.sample(_list(language, "groups"), steps + 1)
    facts = [
        _one(rng, language, rng.choices(["all", "some", "no"], weights=[6, 2, 2])[0], a=a, b=b) for a, b in pairwise(terms)
    ]
    claim = _one(rng, language, rng.choice(["all", "some", "no"]), a=terms[0], b=terms[-1])
    if rng.random() < 0.4:
        rng.shuffle(facts)
    return Draft("", facts, _one(rng, language, "follows", c=_bare(claim, language)), yes_no=True)


def truth_value(rng: random.Random, steps: int, language: str) -> Draft:
    """A Boolean expression."""
    return Draft("", [], _one(rng, language, "bool", e=expression(rng, steps, rng.choice(BOOLEAN_STYLES))), bare=True)


LANGUAGE_KINDS: dict[str, tuple[LanguageKind, int, int]] = {
    "ranking": (ranking, 2, 8),
    "swaps": (swaps, 1, 8),
    "liars": (liars, 2, 8),
    "weekdays": (weekdays, 1, 8),
    "walk": (walk, 1, 8),
    "lamps": (lamps, 1, 8),
    "row": (row, 3, 8),
    "groups": (groups, 1, 6),
    "truth_value": (truth_value, 1, 6),
}
"""Kinds in other languages, each with the fewest and the most steps it can need."""
