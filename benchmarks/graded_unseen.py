"""Graded requests for tests: the kinds of `training/graded.py` in other words, stories and layouts; nothing is shared.

A level from 1 to 8 says how many steps, conditions or parts a request demands. What surrounds a request (a letter, a ticket,
a forum post, a dictated note) is drawn without regard to the level.

    python -c "import random; from benchmarks.graded_unseen import graded; print(*graded(random.Random(3)), sep='\\n')"
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

LEVELS = 8


class Graded(NamedTuple):
    """One request; `level` runs from 1 to 8."""

    text: str
    domain: str
    language: str
    kind: str
    level: int


WHOLE = {
    "word_problem en": """
1 Our ferry carries «12-60» cars a trip and makes «3-9» trips. Cars a day?
1 I was born in «1961-2001». How old do I turn in 2031?
2 A roll of «20-90» m wire, cut into «2-6» m pieces, each sold for «2-9» pounds. Takings?
2 Phone plan: «9-25» a month plus «3-9» cents a minute. What do «100-400» minutes cost?
3 Painter A needs «6-12» h for a fence, B half of that, and they start two hours apart. When are they done?
3 My solar panels made «200-900» units, I used 40% of it, sold the rest at «8-15» cents and paid «4-9» for the meter. Net?
4 A loan of «2000-9000» at «3-8»% a year, «3|4» equal payments at year's end. Size of a payment?
4 Candle A burns in «3|4» h, B in «5|6» h, equal length, lit together. When is one twice as long as the other?
5 Escalator: walking I count «50-60» steps, running at thrice the pace «70-90». How many when it stands still?
5 Sheep, hens and stools: «20-40» heads, «90-130» legs, stools three-legged and headless, one more than sheep. Count.
6 Two candles, one clock, three wicks: which times can be measured, and which is the shortest gap between two of them?
6 Duel of three, hit rates 1/3, 2/3, 1, worst first, missing on purpose allowed. Best opening, by calculation?
7 Lot sizing over «5|6» weeks with setup cost, spoilage and a price jump in week 3: cheapest plan and why no cheaper.
7 Chasing dog runs straight at a rabbit that runs along a straight hedge, speeds equal: final distance, derived.
8 Price European and American puts on «3|5» steps with a dividend in step 2, hedge them, and show where arbitrage enters.
8 Ship convoy, two straits, tide windows, random fog: minimise the expected last arrival; structure of the optimal rule?
""",
    "word_problem zh": """
1 一本书«100-400»页，每天读«5-20»页，几天读完？
2 渡船每次载«12-60»辆车，往返«3-9»趟，每车收«5-20»元，收入多少？
3 甲要«6-12»小时油漆围墙，乙只要一半时间，乙晚到两小时，何时完工？
4 «2000-9000»元贷款，年利率«3-8»%，分四年等额还清，每年还多少？
5 自动扶梯上走了«50-60»级，三倍速度跑了«70-90»级，静止时多少级？
6 三人轮流开枪，命中率三分之一、三分之二、必中，最差者先开，可以故意打偏，怎样最好？
7 «5|6»周的批量生产，有启动费、损耗和第三周涨价，求最省方案并证明。
8 船队过两处海峡，有潮汐窗口和随机大雾，使最后到达时间的期望最小，最优规则有何结构？
""",
    "word_problem de": """
1 Ein Buch hat «100-400» Seiten, ich lese «5-20» am Tag. Wie lange brauche ich?
3 Anstreicher A braucht «6-12» Stunden, B die Hälfte, B kommt zwei Stunden später. Wann sind sie fertig?
5 Auf der Rolltreppe zähle ich gehend «50-60» Stufen, dreimal so schnell «70-90». Wie viele sind es im Stillstand?
7 Losgrößen über «5|6» Wochen mit Rüstkosten, Schwund und Preissprung: billigster Plan mit Beweis.
""",
    "word_problem es": """
1 Un libro tiene «100-400» páginas y leo «5-20» al día. ¿Cuántos días?
3 El pintor A tarda «6-12» horas, B la mitad y llega dos horas más tarde. ¿Cuándo acaban?
5 En la escalera mecánica cuento «50-60» peldaños andando y «70-90» al triple de velocidad. ¿Y parada?
7 Lotes para «5|6» semanas con coste de arranque, mermas y subida de precio: plan más barato con prueba.
""",
    "word_problem ru": """
1 В книге «100-400» страниц, читаю по «5-20» в день. За сколько дней прочту?
3 Маляр А красит забор «6-12» часов, Б вдвое быстрее, но пришёл на два часа позже. Когда закончат?
5 На эскалаторе шагом вышло ступеней: «50-60», втрое быстрее: «70-90». Сколько, если он стоит?
7 Партии на «5|6» недель: запуск, потери, скачок цены. Самый дешёвый план и доказательство.
""",
    "algebra en": """
1 «12-90» - «3-11» = ?
1 What is half of «20-90»?
2 3/«4-9» + 1/«3-8» as one fraction
3 Where do y = «2-6»x - «1-9» and the x-axis meet, and what is y at x = -«2-5»?
4 Complete the square in x^2 - «4|6|10»x + «1-9» and read off the least value.
5 Roots r, s of x^2 - «3-7»x + 1 = 0. Without solving, r^4 + s^4 and 1/r + 1/s.
6 log base x of («5|6»x - 6) = 2 together with log base 2 of (x - 1) > 1/2: which x remain?
7 Determinant of the n by n matrix with «2-5» on the diagonal and 1 beside it. Closed form.
7 p(x^2 + 1) = p(x)^2 + 1, p(0) = 0. All polynomials p.
8 Minimal polynomial of 2^(1/3) + «3|5»^(1/2) + i, its Galois group, and all intermediate fields.
8 Sum over k of C(n, k)^3 (-1)^k, and prove it by a residue.
""",
    "proof en": """
1 Convince me with numbers that 4(«5-30») + 1 is odd.
1 Test 2^n < n! for n = «4-7».
2 Why does an even plus an odd number give an odd one?
2 Disprove by one example: if ab = ac then b = c.
3 Show: n^2 leaves remainder 0 or 1 on division by «3|4».
3 No rational number has square «6|10|15».
4 Show that a bipartite graph has no odd cycle, and the converse.
4 Uniform limits of continuous functions are continuous. Proof please, with the epsilons.
5 Every subgroup of a free abelian group of rank n is free.
5 L'Hôpital's rule in the infinite case.
6 Stone-Weierstrass, from scratch.
6 The fundamental theorem of algebra, two different ways.
7 Mordell-Weil over Q for curves with full 2-torsion.
7 Poincaré duality for closed manifolds.
7 The Robertson-Seymour theorem for trees (Kruskal).
8 Faltings' theorem: the steps, each with its proof idea made honest.
8 Four colours suffice? Give the discharging argument's skeleton and what a checker must verify.
8 Weil conjectures for curves.
""",
    "proof zh": """
1 用数字检验4乘«5-30»再加1是奇数。
2 举反例：若ab=ac则b=c。
3 证明平方数除以«3|4»余0或1。
4 证明二部图没有奇圈，反之亦然。
5 证明有限秩自由阿贝尔群的子群自由。
6 从头证明斯通-魏尔斯特拉斯定理。
7 证明闭流形的庞加莱对偶。
8 证明曲线情形的韦伊猜想。
""",
    "chance en": """
1 Spinner with «4-9» equal fields, one blue. How likely is blue?
2 Two spinners with «4|5|6» fields each: how likely is the same number?
2 Menu: «3-6» starters, «4-8» mains, «2-5» sweets, no choice of the same sweet as last time. Menus?
3 A jury of 5 from «6-9» men and «6-9» women with at most two men: how many?
4 Three machines make 50, 30 and 20% of the screws with 1, 2 and «4-8»% faulty. A faulty one: from the third?
5 Lifts stop at floors at random, «6-9» people, «5-8» floors: expected number of stops and its variance.
6 Words of length n over {0,1} without 010: generating function and growth.
7 Hat-check with pairs: n couples, nobody gets a hat from the own couple. Exact, then asymptotic.
8 Derive the arcsine law for a walk with heavy tails, or say which half of it survives.
8 Typical height of a random binary search tree to second order.
""",
}
WHOLE |= {
    "coding en": """
1 «Dart|Haskell|R|Julia»: say good evening «3-9» times.
1 the command to list hidden files
1 how to write a comment in «SQL|YAML|Haskell|HTML»
2 Reverse a string in «Zig|OCaml|R|Julia» without the built-in.
2 Is a year a leap year? «Clojure|Dart|Nim» function.
3 Turn a table of «swimmers|beehives|trams» and times into a ranking with shared places.
3 Small script: find files above «5-90» MB that nobody opened since «2019-2023», print the sum.
4 Trie with prefix search and removal in «Nim|Scala|Dart», unit tests.
4 Knapsack, at most «two|three» of each thing, and which ones to take.
5 Markdown tables to aligned text, wide characters, escaped bars, streaming.
5 Event emitter with once, priorities, removal while firing, errors gathered.
6 Heavy-light decomposition, path updates, subtree queries; why log squared.
6 Regex engine without backtracking, captures, lazy quantifiers.
7 Work-stealing scheduler, fork-join, blocking tasks compensated, fairness shown.
7 CRDT text with intention preservation for moves; garbage-collect tombstones.
8 Paxos variant tolerating disk lies; model-check, then code it.
8 Optimising SQL planner: cardinalities, join orders, cost feedback, correctness by equivalence proofs.
""",
    "coding zh": """
1 «Dart|R|Julia»打印三次“晚上好”。
2 不用内置函数反转字符串。
3 按成绩给游泳选手排名，并列同名次。
4 多重背包，每样最多«两|三»件，输出选法。
5 事件派发器：一次性监听、优先级、派发中移除、错误汇总。
6 树链剖分，路径修改和子树查询，并解释复杂度。
7 工作窃取调度器，支持阻塞任务补偿，证明公平。
8 能容忍磁盘说谎的Paxos变体，先模型检验再实现。
""",
    "debugging en": """
1 whlie x < «5-50»: -- says invalid syntax
1 "Missing closing quote", line «2-40»: say('«ahoy|moin»)
2 let m = {«tea|oak»: 1}; m.«Tea|Oak» is undefined??
2 n = 7 / 2 gives 3 in «Java|C|Go» but I want 3.5
3 Shallow copy? dict(a) and then changing a["«kids|tags»"] changes both.
3 while(!feof(f)) reads the last line twice
4 Comparator (a, b) => a > b sorts fine for «8-10» items and oddly for more, only in one browser.
4 Join doubles the sum of payments whenever an order has two parcels.
5 Goroutine leak: timeouts return early, the sender blocks; but closing the channel panics at times.
5 Works with one uvicorn worker, loses logins with «3-8». Sessions in a dict, sticky cookies off, redis 'optional'.
6 Deadlock once a day: A locks row then cache, B cache then row, C only reads but upgrades. Find all cycles.
6 Our histogram says median 4 ms, users say seconds; closed-loop load, retries hidden, clocks per host.
7 Seqlock reader tears on «POWER|ARM», barriers on both sides, compiler hoists one. Which, and the minimal cure?
7 Counter drifts by one per failover: key hashed after normalisation, retries before it, dedupe rolls at leap.
8 Corruption weeks after a resize of the hash ring under a partial partition; hints replayed twice. Rebuild the history.
8 RCU use-after-free seen only with CPU hotplug and nested idle. Prove the grace period ends early or that it can't.
""",
    "sql en": """
1 everything from «artists|gigs|venues»
1 albums released in «1971-2020»
2 Five longest tracks, title and seconds.
2 number of gigs per venue
3 Artists with an album before «1980-1999» and one after, each once.
4 For each label the share of albums without any gig in the following year; labels with none shown as 0.
4 Venues that had every artist of one label.
5 Per artist the longest streak of years with a gig, and its first year.
5 Rank albums in their year by sales; show the change of rank to the artist's previous album.
6 Tour legs: gaps over «9-15» days split; per leg the distance between consecutive venues summed.
6 Rolling «28|90»-day unique visitors per town without counting anyone twice, by day.
7 Royalty tree of any depth with percentages, caps per node and recoupment before payout, per quarter.
7 Bitemporal venue names: report as believed on each closing day, diff between closings, single pass.
8 Setlist similarity graph, connected components in SQL, stable ids when edges appear later, cost bound.
8 Prove that the optimizer may push this filter below the outer join or find the data where it may not; three nestings.
""",
    "deduction en": """
1 No «otters|kites|lanterns» here are old. This one is old. Is it one of them?
1 My hat is left of the lamp. Is the lamp right of my hat?
2 Either the cook or the driver took it; the driver was in court all day. Who?
3 Three doors, one true sign: 'not here', 'behind two', 'one lies'. Where?
4 Four friends, four sports, five clues: A hates water, B isn't next to the rower ... can the judo fan be D if C swims?
5 Nine balls, one light or heavy, two of the scale's three weighings may be used on marked ones only. Possible?
6 'I know what you will not say' - 'then I'll say it' - silence. Numbers 1 to «9|12», who holds which?
7 Hats of «three|four» colours on infinitely many heads, everyone sees those ahead; at most one wrong. How?
8 Muddy children with one deaf child, one liar, and an announcement twice. Which rounds settle what? Prove.
""",
    "deduction zh": """
1 这里的灯笼没有旧的。这件是旧的。它是灯笼吗？
2 不是厨师就是司机拿的，司机整天在法院。谁拿的？
3 三扇门只有一块牌子为真：“不在这”“在二号”“一号说谎”。在哪？
4 四个朋友四种运动：甲怕水，乙不挨着划船的，丙游泳，柔道的能是丁吗？
5 九个球一个异常，三次中有两次只能称做过记号的，能找到吗？
6 “我知道你不会说什么”“那我偏说”接着沉默，数字一到«九|十二»，各拿几？
7 无穷多人戴«三|四»色帽，只看前方，至多一人错，怎么办？
8 泥孩子谜题：一个聋、一个说谎、宣布两次，各轮能定什么？请证明。
""",
    "knowledge en": """
1 Currency of «Denmark|Thailand|Peru|Morocco»?
1 who wrote «Middlemarch|Faust|Don Quixote»
1 hardest mineral?
2 What's a «fjord|metaphor|quark|subpoena|roundelay»?
2 Name two «salt lakes|string quartets by Haydn|kinds of cloud».
3 Why does «ice float|iron rust|a boomerang return|popcorn pop»?
3 What does a «notary|thyroid|keystone species|clutch» do?
4 «Sweet and sour cherry|Fission and fusion|Bail and parole|Mean and median»: how do they differ in use?
5 How did «the potato|the telegraph|quinine» reshape an empire, link by link?
5 What keeps «a bicycle upright|a currency peg alive|a cell's pH stable», and what breaks it first?
6 Compare how «Japan, Siam and Ethiopia|Venice, Genoa and Lübeck» kept independence; which shared factor really matters?
6 Three accounts of «why we sleep|why prices are sticky|why species are rarer far from the equator»: test on one fact.
7 What would have to be false for «dual-process theory|modernisation theory|the RNA world» to fall, and is any of it?
7 Trace «the idea of zero|habeas corpus|germ theory» through rivals who were rational to reject it.
8 Can emergence be more than ignorance? Physics, biology, mind: where each argument smuggles its premise.
8 Why do constitutions outlive or fail their authors? It must survive «Weimar, India, Chile|France, Japan».
""",
    "knowledge de": """
1 Welche Währung hat «Dänemark|Thailand|Peru»?
2 Was ist ein «Fjord|Quark in der Physik|Notar»?
3 Warum «schwimmt Eis|rostet Eisen|platzt Popcorn»?
4 «Kernspaltung und Kernfusion|Mittelwert und Median»: Worin liegt der Unterschied im Gebrauch?
5 Wie hat «die Kartoffel|der Telegraf» ein Reich verändert, Glied für Glied?
6 Wie blieben Japan, Siam und Äthiopien unabhängig, und welcher gemeinsame Faktor zählt wirklich?
7 Was müsste falsch sein, damit «die RNA-Welt|die Modernisierungstheorie» fällt?
8 Ist Emergenz mehr als Unwissen? Wo schmuggelt jedes Argument seine Voraussetzung ein?
""",
    "knowledge fr": """
1 Quelle est la monnaie «du Danemark|de la Thaïlande|du Pérou» ?
2 Qu'est-ce qu'un «fjord|notaire|quark» ?
3 Pourquoi «la glace flotte|le fer rouille» ?
5 Comment «la pomme de terre|le télégraphe» a changé un empire, maillon par maillon ?
7 Que faudrait-il de faux pour que «le monde à ARN|la théorie de la modernisation» tombe ?
8 L'émergence est-elle autre chose que de l'ignorance ? Où chaque argument cache-t-il sa prémisse ?
""",
    "knowledge ja": """
1 «デンマーク|タイ|ペルー»の通貨は？
2 «フィヨルド|公証人»とは何？
3 なぜ«氷は浮く|鉄はさびる»の？
5 «じゃがいも|電信»は帝国をどう変えた？段階ごとに。
7 «RNAワールド|近代化論»が崩れるには何が誤りであればよい？
8 創発は無知以上のものか。各議論が前提を忍び込ませる箇所を示せ。
""",
    "knowledge zh": """
1 «丹麦|泰国|秘鲁»用什么货币？
2 什么是«峡湾|公证人|夸克»？
3 «冰为什么浮在水上|铁为什么生锈»？
4 «裂变和聚变|平均数和中位数»用起来有什么不同？
5 «土豆|电报»怎样一环一环改变了一个帝国？
6 日本、暹罗和埃塞俄比亚何以保持独立，真正起作用的共同因素是什么？
7 要推翻«RNA世界|现代化理论»，哪些前提必须为假？
8 涌现只是无知吗？各学科的论证在哪里偷运了前提？
""",
}
WHOLE |= {
    "analysis en": """
1 What is a «bond|levy|mandate|franchise»?
2 Give two upsides of «carpooling|tenure|queues by ticket».
3 Should a «choir|kiosk|dentist» take cards only? For and against.
4 Toll or tax to mend a bridge: who pays in the end, and which would you pick for a «village|port»?
5 Footfall up, sales down since the «tram|mall» opened. Four explanations, one test each.
6 Ban, tax or label «fast fashion|energy drinks»: compare under weak enforcement and smuggling.
7 Merge two «orchestras|universities» with unequal debts, proud names, one donor's veto: terms both would sign twice.
8 Ration antivirals with mutating strains, patent holders, hoarding neighbours, forgetful voters; robust to your error.
""",
    "planning en": """
1 What do I need for a picnic?
2 Two errands, one hour, «bank|barber» and «market|post office»: which first?
3 Book club, «five|six» people, one kitchen, pick a date and a dish that suits a diabetic.
4 Weekend for two hikers, no car, «40-90» a head, rain on Sunday.
5 Shoot a short film in two days: one actor leaves at noon, the light is needed at six, the van seats «four|five».
6 Seat «30|36» guests: feuds, wheelchairs, two languages, heads of table fixed, kids apart, draughty corner.
7 Reopen a mountain railway: snow, union hours, one crane, inspection, festival date, borrowed engine, road kept open.
8 Evacuate a museum's store before a flood with «nine|twelve» people: crates, climate, insurers, power cuts, a thief inside.
""",
    "planning zh": """
1 野餐要准备什么？
2 一小时办«银行|理发»和买菜两件事，先去哪？
3 «五|六»个人的读书会，一间厨房，选日子和糖尿病人能吃的菜。
4 两人徒步周末，不开车，每人«200-600»元，周日有雨。
5 两天拍短片：一个演员中午走，六点要光线，车只坐«四|五»人。
6 安排«三十|三十六»位客人：有宿怨、轮椅、两种语言、主位固定、孩子分开。
7 重开山区铁路：积雪、工时、一台吊车、验收、节日期限、借来的机车、公路不能断。
8 洪水前撤空博物馆库房：人手、箱子、温湿度、保险、警卫、停电，还有内鬼。
""",
    "planning es": """
1 ¿Qué hace falta para un picnic?
3 Club de lectura para «cinco|seis», una cocina: fecha y plato apto para un diabético.
5 Corto en dos días: un actor se va a mediodía, hace falta la luz de las seis, la furgoneta lleva «cuatro|cinco».
8 Vaciar el almacén de un museo antes de la riada: gente, cajas, clima, seguros, guardias, cortes y un ladrón dentro.
""",
    "planning ru": """
1 Что нужно для пикника?
3 Книжный клуб на «пять|шесть» человек, одна кухня: день и блюдо, подходящее диабетику.
5 Снять короткий фильм за два дня: актёр уходит в полдень, нужен свет в шесть, в машине «четыре|пять» мест.
8 Вывезти хранилище музея до паводка: люди, ящики, климат, страховщики, охрана, отключения и вор внутри.
""",
    "writing en": """
1 a toast for «uncle Bo|our postwoman», one sentence
1 Name for a «houseboat|bakery cat»
2 limerick about a «hinge|goose|tax form»
3 A complaint about a cold «curry|bus» that ends in a compliment.
4 Fable, under «90-140» words, three animals, moral unspoken.
5 Monologue of a «locksmith|sexton» in past tense, no adjectives, a lie in line two, ends on a noun.
6 Pantoum on «ferries|debt» whose repeated lines change speaker.
7 Villain's and hero's diary for the same «five|six» days, mirrored sentence by sentence, one word differing each.
8 Canzone with five end words, hidden recipe that can be cooked, each stanza true read upwards as well.
""",
    "tools en": """
1 Wake me at «5-9».
1 what's the score of the «hockey|cricket» match
1 mute the «telly|radio»
2 When it stops raining here, tell «Bo|Inge».
3 Order the usual from whichever place delivers before «7|8» and text me.
4 Look who's free among my climbing mates, book a court for that many, put it in the group.
5 From the last scan take the IBAN, check it against my payees, pay if it matches and the limit holds, file it.
6 Watch fares to «Faro|Izmir»; under «90-140» buy, but only with leave granted, seat next to «Bo|Inge», else ask both.
7 Undo yesterday's import: find the rows, who edited since, keep those, restore the rest, rerun reports, tell owners, log it.
8 Rotate leaked keys without downtime: issue, deploy, verify, revoke, roll back on alarms, prove none is left.
""",
    "chat en": """
1 heya
1 cheers mate, bye
2 cats or dogs, be honest
3 what goes with «plum jam|a green sofa»?
4 My «tailor|barista» keeps calling me by the wrong name. Too late now?
5 I promised the dog to «my ex|a neighbour» and now I can't give her up. Hm.
6 Leave the band before the tour they mortgaged a house for? I've lost the joy, not the skill.
7 Dad's new wife needs the kidney that my brother will need in five years. He asked me. I match.
8 I can stay in hiding and safe, or come forward, free a man I despise, and cost my sister her children.
""",
    "extraction en": """
1 Office closed «Mon|Tue»; keys with Bo. Where are the keys?
2 Red team: «3-9» wins. Blue: «3-9» wins. Green lost all. Who won none, and how often did Red win?
3 Tram 4 goes by the mill, 6 by the zoo, 9 by both on Sundays. Which can I take to the mill on Sunday?
4 Ana paid for two, Ito for Ana's second, Rui for nobody but ate. Who owes whom a meal?
5 Minutes: lift by Ito; annex: Ito and Rui swapped; margin: swap void if late; stamp: late. Who does the lift?
6 Letter one moves the fair up a week, two cancels one from the north, three (older) restores it for dogs. Dog fair: when?
7 Will: house to A unless B returns; codicil: 'returns' means before the sale; note: sold twice, first void. B came between.
8 Four logs, two clocks, one an hour off after the storm, one entry copied: what is certain, likely, impossible?
""",
}
PEOPLE = "Bo Inge Rui Ito Ana Sefa Dov Lise Marek Tilda Ugo Wim Zora Yusuf".split()
COUNTS = {
    "en": """
There are {x} {t}.
{t}: {x} more than {b}.
{t}: {x} fewer than {b}.
{t}: {x} times the number of {b}.
How many {t} are there?
spoons|forks|ladles|cups|bowls|trays|jugs|pans|lids|mugs|plates|tongs
""",
    "zh": """
{t}有{x}个。
{t}比{b}多{x}个。
{t}比{b}少{x}个。
{t}是{b}的{x}倍。
{t}有多少个？
勺子|叉子|杯子|碗|盘子|托盘|水壶|锅|盖子|罐子|桶|筐
""",
    "de": """
{t}: {x} Stück.
{t}: {x} mehr als {b}.
{t}: {x} weniger als {b}.
{t}: {x}-mal so viele wie {b}.
Wie viele {t} sind es?
Löffel|Gabeln|Tassen|Schalen|Tabletts|Krüge|Pfannen|Deckel|Becher|Teller|Zangen|Eimer
""",
    "es": """
{t}: {x}.
{t}: {x} más que {b}.
{t}: {x} menos que {b}.
{t}: {x} veces {b}.
¿Cuántos hay de esto: {t}?
cucharas|tenedores|tazas|cuencos|bandejas|jarras|sartenes|tapas|vasos|platos|pinzas|cubos
""",
    "ru": """
{t}: {x} шт.
{t}: на {x} больше, чем {b}.
{t}: на {x} меньше, чем {b}.
{t}: в {x} раза больше, чем {b}.
Сколько получилось ({t})?
ложки|вилки|чашки|миски|подносы|кувшины|крышки|кружки|тарелки|щипцы|вёдра|лотки
""",
}
HOPS = {
    "en": """
{a} is {n} days after {b}.
{b} is {n} days before {a}.
{a} is on a {d}.
On which weekday is {a}?
the auction|the regatta|the audit|the premiere|the harvest|the recital|the census|the raffle|the parade|the wake
""",
    "zh": """
{a}在{b}之后{n}天。
{b}比{a}早{n}天。
{a}是星期{d}。
{a}是星期几？
拍卖|赛船|审计|首映|收割|独奏会|普查|抽奖|游行|守夜
""",
    "fr": """
{a} vient {n} jours après {b}.
{b} précède {a} de {n} jours.
{a} tombe un {d}.
Quel jour tombe {a} ?
la vente|la régate|l'audit|la première|la moisson|le récital|le tirage|le défilé|la veillée|le gala
""",
}
WEEK = {
    "en": "Monday Tuesday Wednesday Thursday Friday",
    "zh": "一 二 三 四 五",
    "fr": "lundi mardi mercredi jeudi vendredi",
}
FORMS = {
    "planning en": """
Event|Trip|Job
pottery weekend|canal tour|stocktaking|chess camp|orchard day|choir exchange
cost cap «200-900» ; nobody drives after dark ; two people fast until sunset ; vet at «9|10» on day one
van back by «4|5|6» pm ; no stairs for «Bo|Lise» ; quiet from ten ; half the kit arrives late
wind above five cancels boats ; each leader off one session ; deposits due before replies
""",
    "planning zh": """
活动|旅行|工作
陶艺周末|运河游|盘点|象棋营|果园日
费用上限«2000-9000» ; 天黑后不开车 ; 两人日落前禁食 ; 车要在«四|五|六»点前归还 ; 有人不能走楼梯 ; 十点后安静
一半器材晚到 ; 风大则取消坐船 ; 每位领队轮休一场 ; 押金在回执之前交
""",
    "planning es": """
Evento|Viaje|Trabajo
taller de cerámica|ruta por canales|inventario|día de la huerta
tope de «200-900» euros ; nadie conduce de noche ; dos ayunan hasta la puesta de sol ; furgoneta de vuelta a las seis
sin escaleras ; silencio desde las diez ; medio material llega tarde ; con viento no hay barcas
cada guía libra una sesión
""",
    "planning ru": """
Событие|Поездка|Работа
выходные гончаров|прогулка по каналам|учёт|день сада
не дороже «20-90» тысяч ; в темноте за руль нельзя ; двое постятся до заката ; машину вернуть к шести ; без лестниц
после десяти тихо ; половина вещей опоздает ; при ветре лодок нет ; каждый ведущий свободен один раз
""",
    "writing en": """
Piece|Text|Commission
obituary for a bridge|radio play|menu in verse|ghost story|wedding speech|fake review
«80-300» words exactly ; no word twice in a line ; three voices, unnamed ; told backwards ; ends where it began
one true date ; rhyme only inside lines ; no 'and' ; a secret in the initials ; every verb in the past
must console and accuse
""",
    "coding en": """
Program|Library|Tool
beehive monitor in Go|tram ticket validator|recipe scaler in Julia|swim meet timer|seed swap site
offline for days, then merges ; power may fail mid-write ; two versions live at once ; audit trail, tamper-evident
fits in 64 kB ; hard deadline of «2-9» ms ; plugins are untrusted ; clocks drift ; hot reload of rules
no allocation after start ; per-user quotas, fair under load
""",
    "analysis en": """
Decision|Question|Case
close the night ferry?|franchise the bakery?|publish the inspections?|lower the voting age?
losers must be paid ; numbers are disputed ; reversal costs double ; one partner is leaving ; courts may step in
poorest fifth not worse off ; effects lag by «4-9» years ; opponents can stall ; say what would refute you
copycats will follow ; staff know more than owners
""",
    "sql en": """
Report|Query|Extract
artists(id, name), albums(id, artist_id, year, sold), gigs(id, artist_id, venue_id, day)
one line per artist ; years without gigs as 0 ; best album by sales, ties kept ; rank within year
running total of sales ; gap to the previous gig ; venues merged by latest name ; top «three|four» per year only
share of the yearly sum ; streaks of years ; cancelled gigs netted out later
""",
    "chat en": """
Me|My dilemma|So
marry or move on?|keep the dog?|tell mum?|take the post in Faro?
I'm «28-61» and broke ; he was there when nobody was ; my sister depends on it ; I gave my word ; it makes me ill
the chance won't return ; the children are split ; my gut says no ; everyone I ask has a stake ; I did it once before
silence is an answer too
""",
}
ERRANDS = (
    """
open the «tax|boat» folder ; pick the newest scan in it ; read the amount on that ; convert it to «kroner|zloty»
compare that with my savings ; move what is missing from the other account ; pay it with the reference on page two
file the confirmation beside the scan
""",
    """
see when «Bo|Inge» lands ; find the last train after that ; check if it still has quiet seats ; book one next to mine
shift my dinner to fit ; let the restaurant know what we eat ; share the new times ; wake me if the flight slips
""",
    """
list the sensors that went silent ; look up the room of each ; ask who is on duty there ; send that person the serials
wait for the photos ; match them against the manual ; order the parts that fit ; close what works again by night
""",
)
ASIDES = {
    "en": """
Posted from the laundry room. | Greetings from a windy pier. | My neighbour's drill is going again.
It's the year of the wasps here. | I do have the old folder somewhere. | Bo thinks I worry too much.
We've had this table since the flood. | Sorry, long day. | Don't mind the tone, I'm hungry.
The window won't shut, so my fingers are cold. | Somewhere there's a photo of it, with my thumb on the lens.
I had meant to ask last week, but then the stove broke and one thing led to another.
""",
    "zh": """
我在洗衣房里写的。 | 邻居又在钻墙。 | 今天忙了一整天。 | 窗户关不上，手有点冷。 | 本来上周就想问的。
有张照片，但是拍糊了。
""",
    "de": """
Gruß von einem windigen Steg. | Der Nachbar bohrt wieder. | Langer Tag heute. | Das Fenster schließt nicht.
""",
    "es": """
Saludos desde un muelle con viento. | El vecino vuelve a taladrar. | Ha sido un día largo. | La ventana no cierra.
""",
    "fr": """
Bonjour d'une jetée venteuse. | Le voisin perce encore. | Longue journée. | La fenêtre ferme mal.
""",
    "ja": """
洗濯場から書いています。 | 隣がまた工事中です。 | 長い一日でした。 | 窓が閉まりません。
""",
    "ru": """
Привет с ветреного причала. | Сосед опять сверлит. | Длинный день. | Окно не закрывается.
""",
}
LOOKS = (
    "{}",
    "{}",
    "{}",
    "Dear team,\n\n{}\n\nBest,\nInge",
    "Ticket #«100-999»\nPriority: «low|high»\n{}",
    "[«9-23»:«10-59»] {}",
    "**Question**\n\n{}",
    "Subject: question\n\n{}",
    "re: {}",
    "{}\n\n-- \nsent while walking",
    "@assistant {}",
)
DOMAINS = {
    "word_problem": "math",
    "algebra": "math",
    "proof": "math",
    "chance": "math",
    "coding": "code",
    "debugging": "code",
    "sql": "code",
    "deduction": "reasoning",
    "knowledge": "knowledge",
    "analysis": "knowledge",
    "extraction": "extraction",
    "writing": "writing",
    "planning": "chat",
    "chat": "chat",
    "tools": "tools",
}
KINDS: tuple[str, ...] = tuple(DOMAINS)


def graded(rng: random.Random, kind: str | None = None, level: int | None = None) -> Graded:
    """One request of the kind and level given, else of any."""
    kind = kind or rng.choice(KINDS)
    level = rng.randint(1, LEVELS) if level is None else level
    if kind not in DOMAINS or not 1 <= level <= LEVELS:
        raise ValueError(f"no kind {kind!r} with level {level!r}")
    options = [(language, make) for language, makes in _options(kind, level).items() for make in makes]
    weights = [3.0 if language == "en" else 0.7 for language, _ in options]
    ((language, make),) = rng.choices(options, weights)
    text = _surrounded(rng, make(rng, level, language), language)
    return Graded(text, DOMAINS[kind], language, kind, level)


Maker = Callable[[random.Random, int, str], str]


def _options(kind: str, level: int) -> dict[str, list[Maker]]:
    """What can make a request, by language."""
    made: dict[str, list[Maker]] = {}
    for (of, language, at), lines in _LINES.items():
        if of == kind and at == level:
            made.setdefault(language, []).append(_whole(lines))
    for title in FORMS:
        of, language = title.split()
        if of == kind:
            made.setdefault(language, []).append(_form(title))
    for language in COUNTS if kind == "word_problem" else ():
        made.setdefault(language, []).append(_counts)
    for language in HOPS if kind == "deduction" else ():
        made.setdefault(language, []).append(_hops)
    for of, maker in (("algebra", _functions), ("extraction", _table), ("tools", _errands), ("word_problem", _bus)):
        if of == kind:
            made.setdefault("en", []).append(maker)
    return made


def _whole(lines: Sequence[str]) -> Maker:
    """One of these lines."""
    return lambda rng, level, language: _filled(rng, rng.choice(lines))


def _parts(text: str, mark: str) -> list[str]:
    """What a text lists, several to a line."""
    return [part for line in text.strip().split("\n") for part in line.split(mark)]


def _filled(rng: random.Random, text: str) -> str:
    """`text` with its slots filled: «3-40» a number, «a|b» one of them."""

    def value(slot: re.Match[str]) -> str:
        if (span := re.fullmatch(r"(\d+)-(\d+)", slot[1])) is not None:
            return str(rng.randint(int(span[1]), int(span[2])))
        return str(rng.choice(slot[1].split("|")))

    return re.sub("«([^»]*)»", value, text)


def _surrounded(rng: random.Random, text: str, language: str) -> str:
    """Asides up to a length that knows nothing of the level, and an envelope."""
    gap = "" if language in ("zh", "ja") else " "
    want = rng.expovariate(1 / 160) * (1.0 if gap else 0.4)
    before: list[str] = []
    after: list[str] = []
    for aside in rng.sample(asides := _parts(ASIDES[language], " | "), len(asides)):
        if len(text) + sum(map(len, before + after)) > want:
            break
        (before if rng.random() < 0.6 else after).append(aside)
    block = "\n" if "\n" in text or text[-1] not in ".?!。？！" else rng.choice((gap, "\n"))
    text = block.join(part for part in (gap.join(before), text, gap.join(after)) if part)
    return _filled(rng, rng.choice(LOOKS)).replace("{}", text) if language == "en" else text


def _form(title: str) -> Maker:
    """Forms: what it is about, and as many demands as the level says."""
    heads, subjects, *listed = FORMS[title].strip().split("\n")
    demands = _parts(" ; ".join(listed), " ; ")

    def make(rng: random.Random, level: int, language: str) -> str:
        head, subject = rng.choice(heads.split("|")), rng.choice(subjects.split("|"))
        asked = [_filled(rng, demand) for demand in rng.sample(demands, level)]
        mark = rng.choice(("\n* ", "\n(+) ", " / ", ", ", "\n> "))
        if rng.random() < 0.25:
            return f"{mark.join(asked)}\n= {head}: {subject}"
        return f"{head}: {subject}{mark if mark[0] == chr(10) else ' - '}{mark.join(asked)}"

    return make


def _counts(rng: random.Random, level: int, language: str) -> str:
    """A stock list in which each number hangs on another one."""
    first, more, fewer, times, question, things = COUNTS[language].strip().split("\n")
    names = rng.sample(things.split("|"), 12)
    said = [first.format(t=names[0], x=rng.randint(80, 140))]
    for before, after in pairwise(names[: level + 1]):
        form, most = rng.choice(((more, 9), (fewer, 9), (times, 3)))
        said.append(form.format(t=after, b=before, x=rng.randint(2, most)))
    for spare in names[level + 1 : level + 1 + rng.choice((0, 0, 1, 3))]:
        said.append(more.format(t=spare, b=rng.choice(names[: level + 1]), x=rng.randint(2, 9)))
    rng.shuffle(said)
    return rng.choice(("\n", " ")).join([*said, question.format(t=names[level])])


def _bus(rng: random.Random, level: int, language: str) -> str:
    """People who get on and off, one change a level."""
    aboard = rng.randint(12, 40)
    log = [f"{rng.choice(('Depot', 'Start', 'First stop'))}: {aboard} on board"]
    for stop in rng.sample(("Quay", "Mill", "Zoo", "Kiln Lane", "Abbey", "Gasworks", "Spa", "Fort", "Lido", "Moor"), level):
        change = rng.randint(2, 9)
        aboard += change if (up := rng.random() < 0.5 or aboard < 12) else -change
        log.append(
            f"{stop}: {'+' if up else '-'}{change}"
            if rng.random() < 0.8
            else f"{stop}, {change} got {'on' if up else 'off'}"
        )
    return rng.choice(("\n", "; ")).join(log) + rng.choice(("\nHow many ride on?", ". Passengers now?"))


def _hops(rng: random.Random, level: int, language: str) -> str:
    """Weekdays of events, each dated by another one."""
    after, before, fixed, question, events = HOPS[language].strip().split("\n")
    names = rng.sample(events.split("|"), 10)
    said = [fixed.format(a=names[0], d=rng.choice(WEEK[language].split()))]
    links = list(zip(names[1 : level + 1], names, strict=False))
    spare = [(name, rng.choice(names[: level + 1])) for name in names[level + 1 :][: rng.choice((0, 0, 2, 4))]]
    for a, b in links + spare:
        said.append(rng.choice((after, before)).format(a=a, b=b, n=rng.randint(2, 6)))
    rng.shuffle(said)
    said = [one[:1].upper() + one[1:] for one in [*said, question.format(a=names[level])]]
    return rng.choice(("" if language == "zh" else " ", "\n")).join(said)


def _functions(rng: random.Random, level: int, language: str) -> str:
    """Functions put into each other as many times as the level says."""
    made = {name: f"{rng.randint(2, 9)}x {rng.choice('+-')} {rng.randint(1, 9)}" for name in rng.sample("fghpqr", 3)}
    text = str(rng.randint(-4, 7))
    for _ in range(level):
        text = f"{rng.choice(list(made))}({text})"
    unused = {name: rule for name, rule in made.items() if name + "(" in text or rng.random() < 0.4}
    return ", ".join(f"{name}(x) = {rule}" for name, rule in unused.items()) + rng.choice(
        (f". {text}?", f"\nWhat is {text}")
    )


TASKS = (
    ("Row of {a}, please: which town?", "Fee of {a}?"),
    ("Town and fee of the one before {a}?", "Who else is in the town of {a}, and on what fee?"),
    ("Cheapest, dearest, and the gap between them?", "Alphabetise the towns and give each its number of names."),
    ("Sum per town; which comes second?", "Mean fee of those dearer than {a}, and how many share a town?"),
    ("Fees below that of {a} double; new sum per town, and who overtakes whom?",),
    ("Rebate: 10% in towns with two or more, 5% on odd fees, not both. Totals by town; did the order of towns change?",),
    ("Pair names from two towns so that the fee gaps are smallest. Which pairs, who is left, is it the only way?",),
    ("One fee has its digits swapped. Which one would change the ranking of towns by mean the most? Check each.",),
)


def _table(rng: random.Random, level: int, language: str) -> str:
    """A table and a task that needs more of it the higher the level."""
    names = rng.sample(PEOPLE, rng.randint(5, 8))
    towns = rng.sample("Brno Faro Kotor Narva Izmir Turku".split(), 3)
    mark = rng.choice((" | ", ",", "\t", " - "))
    rows = [mark.join((name, rng.choice(towns), str(rng.randint(12, 98)))) for name in names]
    table = "\n".join([mark.join(("name", "town", "fee")), *rows])
    task = rng.choice(TASKS[level - 1]).format(a=rng.choice(names[1:]))
    return f"{table}\n{task}" if rng.random() < 0.6 else f"{task}\n{table}"


def _errands(rng: random.Random, level: int, language: str) -> str:
    """Errands that hang on each other, told in order or from the end."""
    steps = [_filled(rng, step) for step in _parts(rng.choice(ERRANDS), " ; ")[:level]]
    if rng.random() < 0.3:
        return "I want this done: " + ", but first ".join(reversed(steps)) + "."
    return rng.choice(("Please ", "Could you ", "")) + rng.choice((", ", " > ", " and next ", ". Now ")).join(steps) + "."


def _read() -> dict[tuple[str, str, int], list[str]]:
    lines: dict[tuple[str, str, int], list[str]] = {}
    for title, text in WHOLE.items():
        kind, language = title.split()
        for line in text.strip().split("\n"):
            lines.setdefault((kind, language, int(line[0])), []).append(line[2:])
    return lines


_LINES = _read()
