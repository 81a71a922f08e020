"""The texts that `graded.py` draws from, by kind and language ("*" is for every language); all our own writing.

A line is a tag and a text; what is indented goes on with the line above ("~": without a space between), `\n` breaks it.
Tags: 1..8 a whole request of that level; f an irrelevant detail; w a frame around a request; v one around a formula; d given
tables; k dead code; o an opening, p a part, s a step that needs the one before. Stories and relations: u an unknown start,
+ - * / % what is done, c and b the questions forwards and backwards. Chains: n nodes, p links. Records: i an introduction,
n things, l places, m a unit, p an entry, k who is in charge, z a correction, q1..q8 a question. `--` begins a theme: how
many levels come before its first part, or its sort. Slots in ⟪ ⟫: `3..40` a number, `a|b` one of them, `name` a first name,
`@city` a word list, `i=...` is kept for `i`.

    python -c "from training.graded_words import BANKS; print(len(BANKS))"
"""

OTHERS_SHARE = (0.0, 0.2, 0.42)
"""Share of requests that are not in English, by how many other languages a kind has: none, one, more."""
LISTS: dict[str, list[str]] = {
    "@city": "Trieste Ghent Aarhus Split Bergen Valletta Kanazawa Cuenca Tartu Lugano Salta Penang Galway Plovdiv".split(),
    "@lang": "German French Spanish Japanese Polish Turkish Italian Dutch Swedish Greek Korean Portuguese".split(),
    "@day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
}
NAMES: dict[str, list[str]] = {
    "en": "Abel Bettina Caleb Delia Enzo Freya Gideon Hattie Ismael Joan Keira Lorenz Mabel Nico Orla Percy Ruth".split(),
    "zh": "阿宁 海涛 雨桐 国庆 思远 佳怡 老秦 小满 子轩 文静".split(),
    "es": "Rocío Álvaro Nerea Tomás Blanca Iván Lola Rubén Aitana Gonzalo".split(),
    "de": "Svenja Torben Ulrike Henning Franzi Malte Gesa Anton Wiebke Jost".split(),
    "fr": "Solène Gaspard Margaux Étienne Clémence Bastien Odile Rémi Agathe Yann".split(),
    "ja": "直樹 千夏 拓海 彩 浩 真由 悠斗 里奈 和也 恵".split(),
    "ru": "Ярослав Тамара Матвей Злата Фёдор Ульяна Тихон Варя Гриша Эля".split(),
    "hi": "तारा विक्रम रेखा निखिल उषा मनोज इंदु करण शीला यश".split(),
}
BANKS: dict[str, str] = {
    "word_problem en": r"""
f The place has been run by the same family for ⟪12..60⟫ years
f The van that brings everything is ⟪3..14⟫ years old and painted ⟪green|white|orange⟫
f It rained for ⟪2..5⟫ days in a row, so hardly anybody came in the mornings
f ⟪name⟫, who is ⟪19..64⟫, only works there on ⟪Tuesdays|Fridays|Sundays⟫
f The door opens at ⟪7|8|9⟫ o'clock and the radio is always on
f Next door there is a shop with ⟪15..60⟫ umbrellas in the window
f A dog called ⟪Biscuit|Pepper|Momo|Clover⟫ watches all of this from its basket
f The key to the cupboard hangs on hook number ⟪2..19⟫
f Last year's figures were written in a blue notebook and nobody can find it
f The floor had been painted on the ⟪3..28⟫th of the month before
f By the way, the ceiling is ⟪3..6⟫ metres high
f The owner's sister lives ⟪20..200⟫ kilometres away and calls twice a week
1 A parcel weighs ⟪2..9⟫ kg. How much do ⟪3..12⟫ such parcels weigh?
1 ⟪name⟫ is ⟪20..40⟫ and ⟪name⟫ is ⟪3..9⟫ years younger. How old is the younger one?
2 Cinema tickets cost ⟪8..14⟫ euros; popcorn ⟪3..6⟫. What do ⟪2..5⟫ tickets and one popcorn cost?
2 ⟪120..240⟫ km at ⟪40|60|80⟫ km/h, then a ⟪15..45⟫ minute stop. Total time?
3 A ⟪60|80|100⟫ euro coat is 20% off, I have a ⟪5..10⟫ euro voucher and pay with a 100 note. Change?
3 Three pumps empty a pool in ⟪4|6|8⟫ h. How long for two?
4 Two taps fill a tank in ⟪4|6⟫ and ⟪3|8|12⟫ hours; the drain alone empties it in 24. Everything open: how long?
4 Half of a third of a number is ⟪4..15⟫ more than a seventh of the same number. Which number?
5 In ⟪6..10⟫ years ⟪p=name⟫ will be twice as old as ⟪q=name⟫ was ⟪2..5⟫ years ago; together they are ⟪50..70⟫ now. Ages?
5 Mix ⟪12|15⟫% and ⟪40|45⟫% acid to get ⟪8|10|12⟫ litres at ⟪20|25|30⟫%, but one litre of the weak one was spilt first
    and replaced by water. Amounts?
6 Boat upstream ⟪2|3|4⟫ h, same way back ⟪1|1.5⟫ h, a hat lost halfway floats to the pier in ⟪6|7⟫ h. Ratio of boat to
    current?
6 ⟪name⟫ and ⟪name⟫ walk towards each other from towns ⟪24..60⟫ km apart at ⟪4|5⟫ and ⟪3|6⟫ km/h; a drone at ⟪20..40⟫
    km/h flies between them until they meet but loses ⟪1|2⟫ minutes at every turn. How far has it flown after its fourth
    turn?
7 A farmer fences ⟪120..600⟫ m along a river into three equal pens, river side open, inner fences cost double, budget
    fixed at what ⟪80..100⟫ m of plain fence less would have cost. Largest area?
7 A cow-calf herd doubles its adults every ⟪3|4⟫ years, loses ⟪10|15|20⟫% a year, sells ⟪20..60⟫ each spring; feed
    lasts ⟪900..2000⟫ head-years. First year that feed runs out?
8 Cheapest mix of three feeds meeting four nutrient floors, one bought only in full sacks of ⟪20|25⟫ kg, with a bulk
    rebate above ⟪300..500⟫ kg: set up, solve, and show it is optimal.
8 Newspaper seller: demand uniform on ⟪20..40⟫ to ⟪60..90⟫, cost ⟪1|2⟫, price ⟪3|5⟫, returns at half cost, and a
    competitor doubles the lost sales on rainy days (p = 0.⟪2..4⟫). Optimal order, and what is a perfect forecast worth?
3 A ⟪40|60⟫ page booklet, ⟪3|4⟫ cents a sheet printed on both sides, ⟪50|80|120⟫ copies and a ⟪9..20⟫ euro fee. Cost
    of one copy?
4 Three shelves, ⟪90..150⟫ books; the middle one has twice the top and ⟪6|9|12⟫ fewer than the bottom. Top?
5 Clock loses ⟪4|6⟫ minutes a day, its twin gains ⟪2|3⟫. Set right on Monday noon, when do they next show the same,
    and when the right time at once?
6 Train A overtakes B in ⟪40|50⟫ s, meets it in ⟪8|10⟫ s, and a walker at ⟪5|6⟫ km/h sees A pass in 6 s. Lengths and speeds?
7 Divide ⟪17|19|23⟫ coins of three values so that each heir gets equal worth and equal number, if anyone may swap one
    for two. When is it possible?
8 Ferry, tide, three cargoes that can't be left together, fuel for ⟪7|9⟫ crossings, and loads that halve the speed:
    shortest schedule, and proof.
-- story
o A bakery starts the day with ⟪x⟫ ⟪i=rolls|pretzels|muffins|bagels⟫
o There are ⟪x⟫ ⟪i=rolls|croissants|scones⟫ on the shelf when the bakery opens
u A bakery opens with an unknown number of ⟪i=rolls|pretzels|buns⟫
+ The oven gives ⟪x⟫ more
+ At noon ⟪name⟫ brings another ⟪x⟫ from the second shop
- A café picks up ⟪x⟫
- ⟪x⟫ turn out burnt and are thrown away
- A school class buys ⟪x⟫ of them
* A big delivery makes the stock ⟪x⟫ times what it was
/ Only one in ⟪x⟫ is kept; the others go to the market stall
% Then ⟪x⟫% of what is there gets sold at the station
c How many ⟪i⟫ are left in the end?
c How many does the bakery have at closing time?
b When the shop closes ⟪x⟫ are left. How many were there in the morning?
-- story
o ⟪name⟫ has ⟪x⟫ ⟪i=marbles|stickers|trading cards|beads⟫ in a tin
u ⟪name⟫ keeps some ⟪i=marbles|stickers|shells⟫ in a tin and has forgotten how many
+ A cousin adds ⟪x⟫
+ ⟪x⟫ more are found under the sofa
- ⟪x⟫ get lost on the way to school
- A friend is given ⟪x⟫ as a present
* A lucky swap multiplies the collection by ⟪x⟫
/ The lot is shared fairly among ⟪x⟫ children and we follow one child's share
% ⟪x⟫% of the tin is swapped for a comic and so is gone
c How many are in the tin now?
c What is the number of ⟪i⟫ after all of that?
b Now there are ⟪x⟫. How many were there at first?
-- story
o A tank holds ⟪x⟫ litres of ⟪rainwater|diesel|milk|wine⟫
o Level at the start: ⟪x⟫ litres
u The gauge of a tank is broken, so nobody knows how many litres are in it
+ ⟪x⟫ litres are pumped in
+ Overnight it gains ⟪x⟫ litres
- A leak costs ⟪x⟫ litres
- ⟪x⟫ litres are drawn off
* The next filling brings it to ⟪x⟫ times that volume
/ It is then split evenly over ⟪x⟫ smaller tanks and one of those is looked at further
% After that ⟪x⟫% of the content evaporates or is used
c How many litres is that in the end?
c Final volume?
b At the end ⟪x⟫ litres are measured. What was in it to begin with?
-- story
o A choir counts ⟪x⟫ singers in ⟪January|September|spring⟫
u The old list of members of a choir was lost
+ ⟪x⟫ people join after the concert
+ An advert brings in ⟪x⟫
- ⟪x⟫ leave because of exams
- ⟪x⟫ move to another town
* It merges with others and becomes ⟪x⟫ times as big
/ It is divided into ⟪x⟫ equal groups, and from here on only the first group matters
% ⟪x⟫% of them drop out over the summer
c How many singers are there now?
b Today there are ⟪x⟫. How many had been on the lost list?
-- story
o ⟪name⟫'s account shows ⟪x⟫ ⟪euros|dollars|francs⟫
u ⟪name⟫ does not remember the opening balance of the account
+ Wages of ⟪x⟫ come in
+ A refund of ⟪x⟫ is booked
- The electricity bill takes ⟪x⟫
- ⟪x⟫ go on a bicycle repair
* A bet pays out and the balance is now ⟪x⟫ times as high
/ The money is divided equally by ⟪x⟫ heirs, and one heir keeps the account going
% ⟪x⟫% of the balance goes to tax
c What is the balance?
c How much is there after the last booking?
b The statement ends at ⟪x⟫. What did it begin with?
-- relation
o ⟪b⟫ has ⟪x⟫ stamps
+ ⟪b⟫ has ⟪x⟫ more stamps than ⟪a⟫
- ⟪b⟫ owns ⟪x⟫ fewer than ⟪a⟫
* ⟪b⟫ has ⟪x⟫ times as many as ⟪a⟫
/ For ⟪b⟫, take what ⟪a⟫ has and divide it by ⟪x⟫
c How many stamps does ⟪b⟫ have?
c Work out ⟪b⟫'s number.
-- relation
o ⟪b⟫ ran ⟪x⟫ km last month
+ ⟪b⟫ ran ⟪x⟫ km further than ⟪a⟫
- ⟪b⟫ fell ⟪x⟫ km short of ⟪a⟫'s distance
* ⟪b⟫ managed ⟪x⟫ times the distance of ⟪a⟫
/ ⟪b⟫ ran the distance of ⟪a⟫ divided by ⟪x⟫
c How far did ⟪b⟫ run?
-- story
o start: ⟪x⟫
u start: ?
+ plus ⟪x⟫
- minus ⟪x⟫
* times ⟪x⟫
/ divided by ⟪x⟫
% take away ⟪x⟫%
c result?
b result: ⟪x⟫. What was the start?
""",
    "word_problem zh": r"""
f 这家店已经开了⟪10..50⟫年
f 那天下着小雨，街上人不多
f 店门口停着⟪2..9⟫辆自行车
f ⟪name⟫今年⟪18..60⟫岁，只在周末来帮忙
f 隔壁的花店早上八点开门
1 一支钢笔⟪6..20⟫元，买⟪3..9⟫支要多少元？
2 ⟪name⟫买了⟪3..8⟫本练习本，每本⟪2..5⟫元，付了100元，应找回多少？
3 甲乙两队修路，甲每天修⟪30..60⟫米，乙每天比甲多修⟪5..20⟫米，两队合修⟪4..9⟫天共修多少米？
4 一件大衣先涨价20%，再打八折，最后比原价便宜了⟪8|16|24⟫元，原价多少？
5 浓度⟪10|15⟫%的盐水与浓度⟪40|45⟫%的盐水混合成⟪25|30⟫%的盐水⟪300|600⟫克，各取多少？
6 甲乙两地相距⟪240..480⟫千米，两车相向而行，一车中途停了半小时，相遇后又各自走到终点，用时相差1.5小时，求两车速度。
7 草场的草匀速生长，⟪20|27⟫头牛吃6天，⟪15|23⟫头牛吃9天，若先放21头，3天后再卖掉5头，还能吃几天？
8 三种饲料的成本和营养各不相同，须满足四项下限，其中一种只能整袋购买，求最低成本并证明最优。
-- story
o 仓库里有⟪x⟫⟪i=箱苹果|袋大米|桶油⟫
o 早上清点，共有⟪x⟫⟪i=箱橙子|袋面粉⟫
u 仓库里原有若干⟪i=箱苹果|袋大米⟫
+ 后来又运来⟪x⟫
+ 中午补货⟪x⟫
- 卖掉⟪x⟫
- 其中有⟪x⟫坏了，扔掉了
* 大卡车到货后，存量变成原来的⟪x⟫倍
/ 随后平均分给⟪x⟫家分店，只看其中一家
% 接着卖出当时存量的⟪x⟫%
c 最后还剩多少⟪i⟫？
b 最后剩下⟪x⟫，原来有多少？
-- relation
o ⟪b⟫有⟪x⟫张邮票
+ ⟪b⟫比⟪a⟫多⟪x⟫张
- ⟪b⟫比⟪a⟫少⟪x⟫张
* ⟪b⟫的张数是⟪a⟫的⟪x⟫倍
/ ⟪b⟫的张数是⟪a⟫的⟪x⟫分之一
c ⟪b⟫有多少张？
""",
    "word_problem es": r"""
f El local lleva ⟪10..50⟫ años abierto
f Aquel día llovía y pasó poca gente
f ⟪name⟫ tiene ⟪20..60⟫ años y solo trabaja los sábados
f En la puerta hay ⟪2..8⟫ bicicletas
4 Dos grifos llenan un depósito en ⟪4|6⟫ y ⟪3|12⟫ horas y el desagüe lo vacía en 24. ¿Cuánto tarda con todo abierto?
6 Mezcla tres vinos de precios ⟪3|4⟫, ⟪5|6⟫ y ⟪8|9⟫ para que el litro salga a ⟪6|7⟫ y el segundo sea el doble del
    primero; sobran ⟪10..20⟫ litros. ¿Cantidades?
8 Minimiza el coste de tres piensos con cuatro mínimos nutritivos, uno solo en sacos enteros, y demuestra que es óptimo.
-- story
o Una panadería empieza con ⟪x⟫ ⟪i=bollos|panecillos⟫
u Nadie contó cuántos ⟪i=bollos|panecillos⟫ había al abrir
+ Salen ⟪x⟫ más del horno
+ El repartidor trae otros ⟪x⟫
- Un bar se lleva ⟪x⟫
- Se queman ⟪x⟫ y hay que tirarlos
* Con el pedido grande las existencias pasan a ser ⟪x⟫ veces las de antes
/ Se reparten por igual entre ⟪x⟫ tiendas y seguimos solo una
% Luego se vende el ⟪x⟫ % de lo que hay
c ¿Cuántos ⟪i⟫ quedan al final?
b Al cerrar quedan ⟪x⟫. ¿Cuántos había al principio?
-- relation
o ⟪b⟫ tiene ⟪x⟫ sellos
+ ⟪b⟫ tiene ⟪x⟫ más que ⟪a⟫
- ⟪b⟫ tiene ⟪x⟫ menos que ⟪a⟫
* ⟪b⟫ tiene ⟪x⟫ veces los de ⟪a⟫
/ ⟪b⟫ tiene los de ⟪a⟫ divididos entre ⟪x⟫
c ¿Cuántos sellos tiene ⟪b⟫?
""",
    "word_problem de": r"""
f Den Laden gibt es seit ⟪10..60⟫ Jahren
f An dem Tag hat es geregnet und es war wenig los
f ⟪name⟫ ist ⟪20..60⟫ und arbeitet nur samstags
f Vor der Tür stehen ⟪2..8⟫ Fahrräder
4 Zwei Pumpen leeren ein Becken in ⟪4|6⟫ und ⟪3|12⟫ Stunden, der Zulauf füllt es in 24. Wie lange dauert es, wenn
    alles läuft?
6 In ⟪5..9⟫ Jahren ist ⟪p=name⟫ doppelt so alt, wie ⟪q=name⟫ vor ⟪2..4⟫ Jahren war; zusammen sind sie ⟪48..66⟫, und
    der Abstand entspricht einem Drittel des Jüngeren. Passt das? Wie alt sind sie?
8 Kostenminimale Mischung aus drei Futtersorten mit vier Untergrenzen, eine nur in ganzen Säcken: aufstellen, lösen,
    Optimalität beweisen.
-- story
o In der Bäckerei liegen morgens ⟪x⟫ ⟪i=Brötchen|Brezeln⟫
u Wie viele ⟪i=Brötchen|Brezeln⟫ morgens dalagen, weiß keiner mehr
+ Aus dem Ofen kommen ⟪x⟫ dazu
+ Die Filiale bringt noch ⟪x⟫
- Ein Café holt ⟪x⟫ ab
- ⟪x⟫ sind verbrannt und werden weggeworfen
* Durch die große Lieferung ist es danach das ⟪x⟫fache
/ Das wird gleichmäßig auf ⟪x⟫ Läden verteilt, wir betrachten nur einen
% Dann werden ⟪x⟫ % des Bestands verkauft
c Wie viele ⟪i⟫ sind am Ende übrig?
b Am Abend sind ⟪x⟫ übrig. Wie viele waren es am Morgen?
-- relation
o ⟪b⟫ hat ⟪x⟫ Briefmarken
+ ⟪b⟫ hat ⟪x⟫ mehr als ⟪a⟫
- ⟪b⟫ hat ⟪x⟫ weniger als ⟪a⟫
* ⟪b⟫ hat ⟪x⟫-mal so viele wie ⟪a⟫
/ ⟪b⟫ hat so viele wie ⟪a⟫, geteilt durch ⟪x⟫
c Wie viele Briefmarken hat ⟪b⟫?
""",
    "word_problem fr": r"""
f La boutique existe depuis ⟪10..60⟫ ans
f Il pleuvait ce jour-là et il y avait peu de monde
f ⟪name⟫ a ⟪20..60⟫ ans et ne travaille que le samedi
f Devant la porte il y a ⟪2..8⟫ vélos
4 Deux robinets remplissent une cuve en ⟪4|6⟫ h et ⟪3|12⟫ h, la vidange la vide en 24 h. Tout est ouvert : combien de
    temps ?
6 Un bateau remonte la rivière en ⟪3|4⟫ h, la redescend en ⟪1|2⟫ h, et un chapeau tombé à mi-chemin rejoint le quai en
    6 h. Rapport des vitesses ?
8 Trois aliments, quatre apports minimaux, l'un vendu par sacs entiers : trouver le mélange le moins cher et prouver
    qu'il est optimal.
-- story
o Une boulangerie commence la journée avec ⟪x⟫ ⟪i=brioches|petits pains⟫
u Personne n'a compté les ⟪i=brioches|petits pains⟫ à l'ouverture
+ Le four en donne ⟪x⟫ de plus
+ Le livreur en apporte encore ⟪x⟫
- Un café en emporte ⟪x⟫
- ⟪x⟫ sont brûlés et jetés
* Avec la grosse livraison le stock est multiplié par ⟪x⟫
/ On partage le tout entre ⟪x⟫ magasins et on n'en suit qu'un
% On vend alors ⟪x⟫ % de ce qui reste
c Combien de ⟪i⟫ reste-t-il à la fin ?
b Le soir il en reste ⟪x⟫. Combien y en avait-il le matin ?
-- relation
o ⟪b⟫ a ⟪x⟫ timbres
+ ⟪b⟫ en a ⟪x⟫ de plus que ⟪a⟫
- ⟪b⟫ en a ⟪x⟫ de moins que ⟪a⟫
* ⟪b⟫ en a ⟪x⟫ fois autant que ⟪a⟫
/ ⟪b⟫ en a autant que ⟪a⟫ divisé par ⟪x⟫
c Combien de timbres a ⟪b⟫ ?
""",
    "word_problem ja": r"""
f この店は⟪10..50⟫年前からある
f その日は雨で、客は少なかった
f ⟪name⟫は土曜日だけ手伝いに来る
f 入口には自転車が⟪2..8⟫台とまっている
4 二つの蛇口で水槽を満たすのに⟪4|6⟫時間と⟪3|12⟫時間、排水口だけなら24時間で空になる。全部開けると何時間かかる？
6 ある船が上りに⟪3|4⟫時間、下りに⟪1|2⟫時間かかる。途中で落とした帽子は6時間で桟橋に流れ着いた。船と流れの速さの比は？
8 三種類の飼料で四つの栄養の下限を満たす最小費用の配合を、うち一種は袋単位でしか買えない条件で求め、
    ~最適であることを証明せよ。
-- story
o 倉庫に⟪i=りんご|みかん|じゃがいも⟫が⟪x⟫個ある
u 倉庫に⟪i=りんご|みかん⟫がいくつかあるが、数は分からない
+ そのあと⟪x⟫個届く
+ 農家がさらに⟪x⟫個持ってくる
- 食堂が⟪x⟫個引き取る
- ⟪x⟫個が傷んでいて捨てられる
* 大きな納品で数は⟪x⟫倍になる
/ それを⟪x⟫店に等しく分け、そのうち一店だけを考える
% 次に、ある分の⟪x⟫％が売れる
c 最後に何個残る？
b 最後に⟪x⟫個残った。最初は何個あった？
-- relation
o ⟪b⟫は切手を⟪x⟫枚持っている
+ ⟪b⟫は⟪a⟫より⟪x⟫枚多い
- ⟪b⟫は⟪a⟫より⟪x⟫枚少ない
* ⟪b⟫の枚数は⟪a⟫の⟪x⟫倍だ
/ ⟪b⟫の枚数は⟪a⟫の⟪x⟫分の1だ
c ⟪b⟫は何枚持っている？
""",
    "word_problem ru": r"""
f Магазин работает уже ⟪10..50⟫ лет
f В тот день шёл дождь, и людей было мало
f ⟪name⟫ помогает там только по субботам
f У входа стоят велосипеды, всего ⟪5..9⟫
4 Две трубы наполняют бак за ⟪4|6⟫ и ⟪3|12⟫ ч, слив опустошает его за 24 ч. Всё открыто. За сколько наполнится бак?
6 Катер идёт против течения ⟪3|4⟫ ч, обратно ⟪1|2⟫ ч, а оброненная на полпути шляпа доплывает до причала за 6 ч.
    Найдите отношение скоростей.
8 Составьте самую дешёвую смесь трёх кормов при четырёх нижних границах, один корм продаётся только целыми мешками, и
    докажите оптимальность.
-- story
o В пекарне с утра было булочек: ⟪x⟫
u Сколько булочек было в пекарне утром, никто не записал
+ Из печи достали ещё ⟪x⟫
+ Из другого магазина привезли ⟪x⟫
- Кафе забрало ⟪x⟫
- Подгорели и были выброшены ⟪x⟫
* После большой поставки стало в ⟪x⟫ раза больше
/ Всё разделили поровну между магазинами (их ⟪x⟫), дальше следим за одним
% Затем продали ⟪x⟫ % того, что было
c Сколько булочек осталось?
b К вечеру осталось ⟪x⟫. Сколько было утром?
-- relation
o У ⟪b⟫ марок: ⟪x⟫
+ ⟪b⟫: на ⟪x⟫ марок больше, чем ⟪a⟫
- ⟪b⟫: на ⟪x⟫ марок меньше, чем ⟪a⟫
* ⟪b⟫: в ⟪x⟫ раза больше марок, чем ⟪a⟫
/ ⟪b⟫: столько марок, сколько ⟪a⟫, но поделённое на ⟪x⟫
c ⟪b⟫: сколько марок?
""",
    "word_problem hi": r"""
f यह दुकान ⟪10..50⟫ साल पुरानी है
f उस दिन बारिश थी और कम लोग आए
f ⟪name⟫ सिर्फ़ शनिवार को काम पर आता है
f दरवाज़े पर ⟪2..8⟫ साइकिलें खड़ी हैं
4 दो नल एक टंकी को ⟪4|6⟫ और ⟪3|12⟫ घंटे में भरते हैं, निकासी उसे 24 घंटे में खाली करती है। सब खुले हों तो कितना समय लगेगा?
6 एक नाव धारा के विरुद्ध ⟪3|4⟫ घंटे और वापसी में ⟪1|2⟫ घंटे लेती है, आधे रास्ते गिरी टोपी 6 घंटे में घाट पहुँचती है।
    नाव और धारा की चाल का अनुपात?
8 तीन चारों का सबसे सस्ता मिश्रण निकालिए जो चार पोषण सीमाएँ पूरी करे, एक चारा केवल पूरी बोरी में मिलता है, और सिद्ध
    कीजिए कि वह इष्टतम है।
-- story
o गोदाम में ⟪x⟫ ⟪i=आम|सेब|संतरे⟫ हैं
u गोदाम में कितने ⟪i=आम|सेब⟫ थे, यह किसी को याद नहीं
+ फिर ⟪x⟫ और आते हैं
+ एक किसान ⟪x⟫ और लाता है
- एक होटल ⟪x⟫ ले जाता है
- ⟪x⟫ सड़ गए और फेंक दिए गए
* बड़ी खेप के बाद संख्या ⟪x⟫ गुना हो जाती है
/ इन्हें ⟪x⟫ दुकानों में बराबर बाँटा जाता है, अब केवल एक दुकान देखिए
% इसके बाद ⟪x⟫% बिक जाते हैं
c अंत में कितने बचे?
b अंत में ⟪x⟫ बचे। शुरू में कितने थे?
-- relation
o ⟪b⟫ के पास ⟪x⟫ टिकट हैं
+ ⟪b⟫ के पास ⟪a⟫ से ⟪x⟫ अधिक हैं
- ⟪b⟫ के पास ⟪a⟫ से ⟪x⟫ कम हैं
* ⟪b⟫ के पास ⟪a⟫ के ⟪x⟫ गुने टिकट हैं
/ ⟪a⟫ के टिकटों की संख्या को ⟪x⟫ से भाग देने पर ⟪b⟫ की संख्या मिलती है
c ⟪b⟫ के पास कितने टिकट हैं?
""",
    "deduction en": r"""
f They have known each other since ⟪school|a sailing course|a bus strike⟫
f The picture was taken on a foggy ⟪Monday|Sunday|Thursday⟫ in ⟪March|June|October⟫
f Someone had spilled ⟪tea|paint|juice⟫ on the original list
f The heating was off, which has nothing to do with it
f One of them is left-handed, but nobody remembers who
f The notebook it comes from has a ⟪red|green|striped⟫ cover
f All of this happened before the new bridge was built
1 The key is in the blue box. The blue box is in the attic. Where is the key?
1 Only members get in after ten. It is eleven and ⟪name⟫ is not a member. Does ⟪he|she⟫ get in?
2 Every ⟪wug|blick|dax⟫ is round and nothing round fits the slot. Does a ⟪wug|blick|dax⟫-shaped copy, also round, fit?
    And the original?
2 If it snows the bus is late; if the bus is late ⟪p=name⟫ misses the test. ⟪p⟫ sat the test. Did it snow?
3 Exactly one of three jars holds salt. A says 'not me', B says 'C has it', C says 'B lies'. Only one label is true.
    Which jar?
3 Two coins fell: one rolled twice as far, the darker one stopped first, and the euro is not dark. What can we say
    about the euro?
4 Four lamps, four switches; two switches each flip two neighbouring lamps, one flips all, one is dead. After A, B, A,
    C only lamp 3 is on. Which is dead?
4 ⟪name⟫, ⟪name⟫ and ⟪name⟫ each lie on exactly two weekdays, no day has two liars, and today all say 'I told the
    truth yesterday'. Which days are possible?
5 Five sailors in a row wear black or white caps, at least two of each; each sees only the caps in front. From the
    back: 'no idea', 'no idea', 'no idea', 'white!'. What can the caps be?
5 Twelve coins, one of odd weight, heavier or lighter unknown. Three weighings: give a scheme.
6 Two logicians get the sum and the product of two numbers above 1 below ⟪40..99⟫: 'I don't know' - 'I knew that' -
    'Now I do' - 'Me too'. Find them.
6 100 prisoners, a light switch, random visits: a strategy that certainly ends, and why it does.
7 Blue-eyed islanders, one public remark, but one islander is known to be careless with probability one half. What
    becomes common knowledge and when?
7 Eight people at a table, each truthful to exactly one neighbour, seven statements 'the one opposite me lies'. Prove
    the eighth is forced.
8 Three gods answer true, false or at random in an unknown word for yes; may one of them refuse? Decide with the
    fewest questions and prove no fewer suffice.
8 Is a finite-memory robber catchable by two cops on every planar graph if moves are announced one step late? Argue
    both ways and decide.
-- chain
n Ava|Boris|Cem|Dora|Edda|Farid|Gina|Henk|Isak|Jun|Karo|Lior|Mina|Nils|Oda|Pavel
p ⟪a⟫ is taller than ⟪b⟫
p ⟪b⟫ is shorter than ⟪a⟫
p Next to ⟪b⟫, ⟪a⟫ looks tall
c Is ⟪first⟫ taller than ⟪last⟫?
c Who is taller, ⟪first⟫ or ⟪last⟫? Say 'unknown' if it does not follow.
-- chain
n Ada|Bruno|Chidi|Dilek|Esra|Finn|Goran|Hana|Igor|Jana|Kofi|Lena|Mats|Nora|Otto|Pia
p ⟪a⟫ arrived before ⟪b⟫
p ⟪b⟫ came in after ⟪a⟫
p When ⟪b⟫ turned up, ⟪a⟫ was already there
c Had ⟪first⟫ arrived by the time ⟪last⟫ came?
c Does it follow that ⟪last⟫ came later than ⟪first⟫?
-- chain
n zorps|mivels|tarns|plinths|quods|rilks|snells|vods|brays|fents|gools|hums|jarls|lopps|narts|wims
p All ⟪a⟫ are ⟪b⟫
p Every one of the ⟪a⟫ belongs to the ⟪b⟫
p Nothing can be among the ⟪a⟫ without being among the ⟪b⟫
c Are all ⟪first⟫ ⟪last⟫?
c Something is one of the ⟪first⟫. Must it be one of the ⟪last⟫?
-- chain
n the alarm rings|the gate shuts|the lamp turns red|the belt stops|the siren howls|the valve opens|the log is
    saved|the pump starts|a guard is called|the door locks|the fan slows|the screen goes dark|the lift halts|a text is
    sent|the backup runs|the sprinkler starts
p If ⟪a⟫, then ⟪b⟫
p Whenever ⟪a⟫, ⟪b⟫ as well
p It never happens that ⟪a⟫ and not also ⟪b⟫
c Suppose ⟪first⟫. Does it follow that ⟪last⟫?
c It is known that NOT the following: ⟪last⟫. What about this: ⟪first⟫?
-- chain
n the chest|the crate|the hatbox|the drawer|the tin|the suitcase|the barrel|the pouch|the trunk|the basket|the
    sack|the envelope|the cupboard|the jar|the satchel|the cabin
p ⟪a⟫ is inside ⟪b⟫
p ⟪b⟫ contains ⟪a⟫
c The ring is in ⟪first⟫, and somebody carries ⟪last⟫ away. Is the ring gone too?
c Is ⟪first⟫ somewhere within ⟪last⟫?
""",
    "deduction zh": r"""
f 他们是在一次⟪登山|钓鱼|读书⟫活动上认识的
f 照片是⟪星期一|星期日⟫拍的，天气很冷
f 名单上洒了一点茶水
f 这件事跟天气没有关系
2 如果下雪，班车就会晚点；班车晚点，⟪p=name⟫就赶不上考试。⟪p⟫参加了考试。下雪了吗？
3 三个盒子只有一个有糖。甲：不在我这里；乙：在丙那里；丙：乙说谎。只有一句真话，糖在哪？
5 十二个球中有一个重量不同，不知轻重，天平称三次，给出方案。
6 两人分别知道两数之和与两数之积，轮流说“不知道”“我早知道你不知道”“现在知道了”“我也知道了”，求两数。
7 一百名囚犯与一盏灯，灯的初始状态未知，设计必胜策略并证明它一定终止。
8 三位神分别说真话、说假话、随机回答，且用语未知，用最少的问题分辨他们，并证明不能更少。
-- chain
n 甲|乙|丙|丁|戊|己|庚|辛|壬|癸|子|丑|寅|卯|辰|巳
p ⟪a⟫比⟪b⟫高
p ⟪b⟫比⟪a⟫矮
c ⟪first⟫一定比⟪last⟫高吗？
-- chain
n 警报响|大门关|红灯亮|皮带停|阀门开|水泵启动|风扇变慢|屏幕变黑|电梯停|备份开始|记录保存|门锁上|保安来|短信发出|灯光闪|
    ~喷头喷水
p 如果⟪a⟫，那么⟪b⟫
p 只要⟪a⟫，就会⟪b⟫
c 现在⟪first⟫。能推出⟪last⟫吗？
c 已知没有出现“⟪last⟫”。“⟪first⟫”可能发生吗？
""",
    "deduction es": r"""
f Se conocen desde ⟪el colegio|un curso de vela⟫
f La foto se hizo un ⟪lunes|domingo⟫ con niebla
f A alguien se le cayó café en la lista
5 Doce monedas, una de peso distinto, no se sabe si más o menos. Tres pesadas: da un método.
7 Cien presos y una bombilla en estado inicial desconocido: estrategia segura y demostración de que termina.
-- chain
n Ana|Berto|Celia|Darío|Eva|Fermín|Gala|Hugo|Irene|Jorge|Kira|Luis|Mar|Noa|Óscar|Pilar
p ⟪a⟫ mide más que ⟪b⟫
p ⟪b⟫ mide menos que ⟪a⟫
c ¿Es seguro que ⟪first⟫ mide más que ⟪last⟫?
-- chain
n suena la alarma|se cierra la puerta|se enciende la luz roja|se para la cinta|se abre la válvula|arranca la bomba|se
    apaga la pantalla|se detiene el ascensor|empieza la copia|se guarda el registro|viene el guardia|sale un aviso|se
    frena el ventilador|se bloquea el torno|gira la cámara|cae la persiana
p Si ⟪a⟫, entonces ⟪b⟫
p Siempre que ⟪a⟫, también ⟪b⟫
c Supongamos que ⟪first⟫. ¿Se deduce que ⟪last⟫?
""",
    "deduction de": r"""
f Sie kennen sich seit ⟪der Schule|einem Segelkurs⟫
f Das Foto entstand an einem nebligen ⟪Montag|Sonntag⟫
f Auf die Liste war Kaffee getropft
5 Zwölf Münzen, eine ist leichter oder schwerer, drei Wägungen: Wie geht man vor?
7 Hundert Gefangene, eine Lampe mit unbekanntem Anfangszustand: sichere Strategie und Beweis, dass sie endet.
-- chain
n Anke|Bernd|Celal|Dana|Egon|Frieda|Gerd|Heike|Ingo|Jule|Karl|Lotte|Marek|Nele|Olaf|Petra
p ⟪a⟫ ist größer als ⟪b⟫
p ⟪b⟫ ist kleiner als ⟪a⟫
c Ist ⟪first⟫ sicher größer als ⟪last⟫?
-- chain
n Bims|Dorfel|Glinze|Hupper|Kneule|Lumpfe|Mocken|Nuschel|Plinse|Quasten|Runkel|Schlinte|Trosel|Ulpen|Wurken|Zipfen
p Alle ⟪a⟫ sind ⟪b⟫
p Wer zu den ⟪a⟫ gehört, gehört auch zu den ⟪b⟫
c Sind alle ⟪first⟫ auch ⟪last⟫?
""",
    "deduction fr": r"""
f Ils se connaissent depuis ⟪l'école|un stage de voile⟫
f La photo date d'un ⟪lundi|dimanche⟫ de brouillard
f Du café est tombé sur la liste
5 Douze pièces, une seule de poids différent, trois pesées : quelle méthode ?
7 Cent prisonniers, une ampoule dont on ignore l'état initial : donner une stratégie sûre et prouver qu'elle s'arrête.
-- chain
n Aline|Basile|Cléo|Denis|Élise|Fabien|Gaëlle|Hervé|Iris|Jérôme|Karine|Loïc|Maud|Nina|Octave|Perrine
p ⟪a⟫ a fini avant ⟪b⟫
p ⟪b⟫ a fini après ⟪a⟫
c Peut-on dire que ⟪first⟫ a fini avant ⟪last⟫ ?
-- chain
n l'alarme sonne|la grille se ferme|la lampe rougit|le tapis s'arrête|la vanne s'ouvre|la pompe démarre|l'écran
    s'éteint|l'ascenseur se bloque|la copie commence|le gardien vient|le journal est écrit|le ventilateur ralentit|la
    porte se verrouille|un message part|la caméra tourne|le store descend
p Si ⟪a⟫, alors ⟪b⟫
p Chaque fois que ⟪a⟫, aussitôt ⟪b⟫
c Supposons que ⟪first⟫. Est-il certain que ⟪last⟫ ?
""",
    "deduction ja": r"""
f みんなは⟪登山|釣り|読書会⟫で知り合った
f 写真は霧の⟪月曜日|日曜日⟫に撮られた
f 名簿にはコーヒーのしみがある
5 十二枚の硬貨のうち一枚だけ重さが違う。天秤を三回使って見つける手順を示せ。
7 百人の囚人と、初期状態の分からない電球一つ。必ず終わる戦略とその証明を与えよ。
-- chain
n 青木|石田|上野|遠藤|大森|加藤|木村|久保|小林|佐野|清水|須田|高田|千葉|中村|野口
p ⟪a⟫は⟪b⟫より背が高い
p ⟪b⟫は⟪a⟫より背が低い
c ⟪first⟫は⟪last⟫より背が高いと言えるか？
-- chain
n 警報が鳴る|門が閉まる|赤いランプがつく|ベルトが止まる|弁が開く|ポンプが動く|画面が消える|昇降機が止まる|記録が残る|
    ~警備員が来る|扇風機が遅くなる|扉に鍵がかかる|通知が届く|複製が始まる|カメラが回る|幕が下りる
p 「⟪a⟫」なら必ず「⟪b⟫」
c 「⟪first⟫」が起きた。「⟪last⟫」は必ず起きるか？
""",
    "deduction ru": r"""
f Они знакомы ещё со ⟪школы|стройотряда⟫
f Снимок сделан в туманный ⟪понедельник|вторник⟫
f На список пролили чай
5 Двенадцать монет, одна отличается по весу, неизвестно в какую сторону. Найдите её за три взвешивания.
7 Сто узников и лампочка, начальное состояние неизвестно: дайте стратегию и докажите, что она завершится.
-- chain
n Анна|Борис|Вера|Глеб|Дарья|Егор|Жанна|Захар|Инна|Кирилл|Лариса|Марк|Нина|Олег|Полина|Роман
p ⟪a⟫ выше, чем ⟪b⟫
p ⟪b⟫ ниже, чем ⟪a⟫
c Верно ли, что ⟪first⟫ выше, чем ⟪last⟫?
-- chain
n звенит сигнал|закрываются ворота|горит красная лампа|стоит лента|открыт клапан|работает насос|гаснет экран|стоит
    лифт|идёт копирование|приходит охранник|замедляется вентилятор|заперта дверь|уходит сообщение|пишется журнал|вращается
    камера|опускается штора
p Если ⟪a⟫, то ⟪b⟫
p Всякий раз, когда ⟪a⟫, также и ⟪b⟫
c Пусть ⟪first⟫. Следует ли, что ⟪last⟫?
""",
    "deduction hi": r"""
f ये सब ⟪स्कूल|एक यात्रा⟫ के समय से एक-दूसरे को जानते हैं
f तस्वीर ⟪सोमवार|रविवार⟫ को ली गई थी
f सूची पर चाय गिर गई थी
5 बारह सिक्कों में एक का भार अलग है, हल्का या भारी पता नहीं। तीन बार तौलकर कैसे ढूँढें?
7 सौ कैदी और एक बल्ब जिसकी शुरुआती स्थिति अज्ञात है: पक्की रणनीति दीजिए और सिद्ध कीजिए कि वह समाप्त होगी।
-- chain
n अनु|बाला|चेतन|दीपा|ईशा|फ़रहा|गौरव|हरीश|इला|जतिन|कमला|लता|मोहन|नीलू|ओम|पवन
p ⟪a⟫ का कद ⟪b⟫ से ज़्यादा है
p ⟪b⟫ का कद ⟪a⟫ से कम है
c क्या यह तय है कि ⟪first⟫ का कद ⟪last⟫ से ज़्यादा है?
-- chain
n घंटी बजती है|फाटक बंद होता है|लाल बत्ती जलती है|पट्टा रुकता है|वाल्व खुलता है|पंप चलता है|परदा गिरता है|लिफ़्ट रुकती
    है|पहरेदार आता है|संदेश जाता है|पंखा धीमा होता है|ताला लगता है|कैमरा घूमता है|नक़ल शुरू होती है|सूची छपती है|पानी बहता
    है
p अगर ⟪a⟫ तो ⟪b⟫
c मान लीजिए ⟪first⟫। क्या इससे निकलता है कि ⟪last⟫?
""",
    "planning en": r"""
f We are all fairly easy-going about the rest
f The last time we tried this, ⟪name⟫ still talks about the ⟪sandwiches|rain|music⟫
f I have a big paper calendar on the kitchen wall, it has owls on it
f My phone is nearly dead so forgive the typos
f I grew up near ⟪a lake|a railway yard|the sea⟫, if that tells you anything
f It's for no special reason, we just felt like it
f We had talked about it all winter over soup
f ⟪name⟫ says hello, by the way
f I'm typing this on the ⟪bus|tram|train⟫ home
f No worries if you have no idea
1 What should I pack for a weekend at the ⟪beach|lake|cabin⟫?
1 give me a simple to-do list for ⟪cleaning the flat|a quiet sunday|repotting plants⟫
2 plan me a lazy saturday in ⟪@city⟫, nothing fancy
2 Which two sights in ⟪@city⟫ fit into one morning?
3 Two days in ⟪@city⟫ by bus with a ⟪toddler|grandmother|big dog⟫: what order?
6 Double round robin for ⟪8|10|12⟫ teams: ⟪7|9|11⟫ weekends, two pitches, never twice a day, derby last.
6 14 guests, ⟪3|4⟫ cars, two can't drive at night, one allergic to dogs, ferry at 9. Who rides with whom and when?
7 Roster ⟪9|11|13⟫ nurses over ⟪4|6⟫ weeks: no three nights in a row, two seniors a shift, leave as listed, equal
    Sundays. Method and table.
7 Move a hospital ward in one night: 22 patients, 2 lifts, 4 on ventilators, no gap in cover.
8 Evacuate a valley of ⟪8,000|12,000⟫ over one bridge before the dam crests, buses late, hospital first, phones down:
    plan, fallbacks, triggers.
8 Replan a delayed ⟪satellite|opera|metro⟫ project: three critical paths, fixed launch window, shared crew, penalty
    steps, two suppliers that may fail.
--
o Plan a ⟪two|three|four|five⟫-day trip to ⟪@city⟫ for us.
o Could you put together an itinerary for ⟪@city⟫ and around?
o We want to go to ⟪@city⟫ in ⟪May|June|September|October⟫. What would a good plan look like?
o Draw up a holiday plan, destination ⟪@city⟫.
p The whole thing may cost ⟪300..900⟫ ⟪euros|pounds|dollars⟫ at most
p ⟪name⟫ uses a wheelchair, so every stop has to be step-free
p We must be back at the station by ⟪4|5|6⟫ pm on the last day
p No day may start before ⟪9|10⟫ because of the baby
p ⟪name⟫ is vegan and ⟪name⟫ can't eat gluten, so both need to find lunch in the same place
p We never want to walk more than ⟪2|3|4⟫ km between two stops
p The ⟪glass|maritime|textile⟫ museum is a must, and it is shut on ⟪Mondays|Tuesdays⟫
p Half of the group arrives a day later and must not miss the boat ride
p One afternoon has to work in heavy rain
p Every night must be in the same hotel, within reach of the last tram
p Nothing may be booked that can't be cancelled two days ahead
p The two teenagers refuse more than one church and want a swim each day
p We have a video call on day two from 14:00 to 15:30 and need quiet and wifi
--
o Help me organise a ⟪farewell party|retirement dinner|housewarming|silver wedding⟫.
o I'm in charge of a ⟪street party|school fair|book launch|choir reunion⟫, please plan it.
o How would you set up a ⟪garden concert|charity quiz night|team offsite⟫ step by step?
p The hall is ours only from ⟪15|16|17⟫:00 to 22:00, clearing up included
p There are ⟪40..120⟫ guests but only ⟪25..38⟫ chairs
p We can't spend more than ⟪400..1500⟫ ⟪euros|pounds|dollars⟫, drinks included
p Two families must not sit near each other
p Three helpers, and none of them may work longer than two hours in a row
p The power supply can't take the ovens and the amplifiers at once
p A third of the guests are children who leave at eight
p The speech has to come after the slideshow but before the meal
p It might rain, and the tent for it has to be ordered five days ahead
p The caterer needs the final number two days before the last replies are due
p Music has to stop at 21:30, with a quiet ending planned
p Nobody may park in the yard, and eight guests can't walk far
--
o Make a work plan for ⟪moving house|renovating a bathroom|opening a pop-up shop|migrating our website⟫.
o I need a project plan for ⟪a community garden|a small film|a museum app|a printed cookbook⟫.
o What's the order of work for ⟪turning a barn into a studio|launching a podcast|digitising an archive⟫?
p It has to be finished in ⟪five|six|nine⟫ weeks, holidays not counted
p The two specialists are only free on alternate weeks
p The permit takes between ten and thirty days and blocks half of the tasks
p Money comes in three parts, and the second only after a passed inspection
p The noisy work may only happen between 10 and 12
p Whatever we rent costs double at weekends
p One supplier delivers late one time in four, so there has to be a buffer that isn't wasted
p The client wants something to show every Friday
p ⟪name⟫ has to approve each stage but is away in week three
p Nobody may work on two tasks at once
p If the first test fails we have to be able to go back within a day
p Part of the site stays open to the public all the time
--
o Set up a weekly ⟪study|training|meal|practice⟫ plan for me.
o I'd like a timetable for the next ⟪four|six|eight⟫ weeks.
o Make me a routine, please.
p I work shifts that change every week, early, late, night
p The total must stay under ⟪six|seven|nine⟫ hours a week
p There is an exam on the ⟪8..28⟫th and a smaller one ten days earlier
p No two hard days in a row because of my knee
p ⟪Wednesdays|Thursdays⟫ belong to the children from four o'clock
p I want to finish ⟪three|four⟫ books and still keep up the ⟪cello|Polish|chess⟫
p The gym is open only when my bus doesn't run, apart from Saturdays
p It should adapt if I miss two sessions running
p Everything has to be cooked on one hob in twenty minutes
p My partner joins on two days and is a beginner
p At least one full day of rest, never the same weekday twice running
""",
    "planning zh": r"""
f 其他方面我们都很随意
f 上次出门大家玩得很开心
f 我是在地铁上打的字，可能有错字
f 我们从冬天就开始聊这件事了
f 顺便说一句，⟪name⟫向你问好
1 周末去海边要带什么？
2 帮我安排一个轻松的周六，在⟪杭州|成都|青岛⟫。
6 给⟪8|10|12⟫支球队排双循环赛程：两块场地，任何队一天不赛两场，德比放最后一轮。
8 一座桥疏散⟪八千|一万二⟫人：医院优先，大巴会晚点，通讯中断，给出方案、备选和触发条件。
--
o 帮我们做一个⟪三|四|五⟫天的⟪西安|厦门|昆明|苏州⟫行程。
o 想去⟪桂林|大理|哈尔滨|泉州⟫玩，怎么安排比较好？
o 请帮我策划一次⟪公司团建|毕业聚会|家庭寿宴⟫。
p 总预算不能超过⟪2000..8000⟫元
p 有一位老人坐轮椅，每一站都要无障碍
p 最后一天下午⟪三|四|五⟫点前必须到火车站
p 带着婴儿，早上九点之前不能出发
p 一个人吃素，一个人海鲜过敏，要在同一家店吃饭
p 两站之间步行不超过两公里
p 必须去博物馆，但是周一闭馆
p 一半人晚一天到，不能错过游船
p 有一个下午要准备下雨的方案
p 订的东西都要能提前两天取消
p 第二天下午两点要开一个半小时的视频会
p 每晚住同一家酒店
""",
    "planning es": r"""
f Lo demás nos da bastante igual
f Escribo desde el tren, perdón por las erratas
f Llevamos todo el invierno hablando de esto
f ⟪name⟫ te manda saludos
1 ¿Qué meto en la maleta para un fin de semana en la playa?
2 Organízame un sábado tranquilo en ⟪Valencia|Bilbao|Quito⟫.
6 Calendario a doble vuelta para ⟪8|10|12⟫ equipos: dos campos, nadie juega dos veces al día, el derbi al final.
8 Evacuar un valle de ⟪8.000|12.000⟫ personas por un solo puente, hospital primero, sin teléfonos: plan, alternativas
    y disparadores.
--
o Prepáranos un viaje de ⟪tres|cuatro|cinco⟫ días a ⟪Sevilla|Oporto|Cusco|Praga⟫.
o ¿Cómo organizarías una ⟪fiesta de despedida|boda pequeña|feria del barrio⟫?
o Haz un plan para ⟪mudarnos de casa|reformar el baño|abrir una tiendita⟫.
p No se puede gastar más de ⟪400..1500⟫ euros
p ⟪name⟫ va en silla de ruedas y todo tiene que ser accesible
p Hay que terminar el último día antes de las ⟪cuatro|cinco|seis⟫
p Nada puede empezar antes de las diez por el bebé
p Uno es vegano y otra celíaca, y comen en el mismo sitio
p La mitad del grupo llega un día más tarde y no debe perderse lo principal
p Una tarde debe funcionar también con lluvia
p Todo tiene que poder cancelarse con dos días de antelación
p El segundo día tenemos una videollamada de dos a tres y media
p Solo hay tres ayudantes y ninguno puede trabajar más de dos horas seguidas
""",
    "planning de": r"""
f Beim Rest sind wir ziemlich entspannt
f Ich tippe das im Zug, entschuldige die Fehler
f Wir reden schon den ganzen Winter darüber
f Schöne Grüße übrigens von ⟪name⟫
1 Was packe ich für ein Wochenende am See ein?
2 Plan mir einen gemütlichen Samstag in ⟪Leipzig|Graz|Basel⟫.
6 Spielplan für ⟪8|10|12⟫ Teams mit Hin- und Rückrunde: zwei Plätze, keiner zweimal am Tag, Derby zum Schluss.
8 Ein Tal mit ⟪8000|12000⟫ Menschen über eine Brücke räumen, Klinik zuerst, Telefone tot: Plan, Ausweichpläne, Auslöser.
--
o Plane uns eine Reise von ⟪drei|vier|fünf⟫ Tagen nach ⟪Dresden|Krakau|Lissabon|Tromsø⟫.
o Wie würdest du ⟪ein Abschiedsfest|ein Straßenfest|eine kleine Hochzeit⟫ organisieren?
o Mach einen Arbeitsplan für ⟪unseren Umzug|die Badsanierung|den neuen Laden⟫.
p Es dürfen höchstens ⟪400..1500⟫ Euro ausgegeben werden
p ⟪name⟫ sitzt im Rollstuhl, alles muss stufenlos sein
p Am letzten Tag muss um ⟪15|16|17⟫ Uhr Schluss sein
p Wegen des Babys geht vor zehn gar nichts
p Eine isst vegan, einer kein Gluten, und beide wollen am selben Tisch satt werden
p Die Hälfte kommt einen Tag später und darf das Wichtigste nicht verpassen
p Ein Nachmittag muss auch bei Dauerregen klappen
p Alles muss bis zwei Tage vorher stornierbar sein
p Am zweiten Tag gibt es von 14 bis 15:30 Uhr eine Videokonferenz
p Es gibt nur drei Helfer, keiner darf länger als zwei Stunden am Stück arbeiten
""",
    "planning fr": r"""
f Pour le reste, nous ne sommes pas difficiles
f J'écris ça dans le train, désolé pour les fautes
f On en parle depuis tout l'hiver
f ⟪name⟫ te salue, au passage
1 Que mettre dans mon sac pour un week-end à la mer ?
2 Propose-moi un samedi tranquille à ⟪Nantes|Lyon|Liège⟫.
6 Calendrier aller-retour pour ⟪8|10|12⟫ équipes : deux terrains, jamais deux matchs par jour, le derby à la fin.
8 Évacuer une vallée de ⟪8 000|12 000⟫ habitants par un seul pont, l'hôpital d'abord, sans téléphone : plan, replis, seuils.
--
o Prépare-nous un voyage de ⟪trois|quatre|cinq⟫ jours à ⟪Porto|Gand|Séville|Québec⟫.
o Comment organiser ⟪une fête de départ|un petit mariage|une kermesse⟫ ?
o Fais un plan de travail pour ⟪notre déménagement|refaire la salle de bains|ouvrir une boutique⟫.
p Le tout ne doit pas dépasser ⟪400..1500⟫ euros
p ⟪name⟫ est en fauteuil roulant, donc pas une seule marche
p Le dernier jour, il faut avoir fini à ⟪15|16|17⟫ h
p Rien avant dix heures à cause du bébé
p L'une est végane, l'autre ne mange pas de gluten, et ils mangent ensemble
p La moitié du groupe arrive un jour plus tard et ne doit pas rater l'essentiel
p Un après-midi doit marcher même sous la pluie
p Tout doit pouvoir s'annuler deux jours avant
p Le deuxième jour, visioconférence de 14 h à 15 h 30
p Il n'y a que trois bénévoles, et deux heures d'affilée au maximum pour chacun
""",
    "planning ja": r"""
f ほかの点はこだわりません
f 電車の中で書いているので、誤字があったらすみません
f 冬からずっとこの話をしていました
f ⟪name⟫もよろしくと言っています
1 週末の海に何を持っていけばいい？
2 ⟪金沢|鎌倉|松本⟫でのんびり過ごす土曜日を考えて。
6 ⟪8|10|12⟫チームの二回戦総当たり日程を作って。会場は二つ、一日二試合は禁止、ダービーは最終節。
8 橋が一本しかない谷から⟪八千|一万二千⟫人を避難させる計画を。病院優先、電話不通、代替案と発動条件も。
--
o ⟪三|四|五⟫日間の⟪京都|長崎|函館|台北⟫旅行を計画してください。
o ⟪送別会|町内の祭り|小さな結婚式⟫はどう準備すればいいですか？
o ⟪引っ越し|風呂場の改装|小さな店の開店⟫の段取りを作ってください。
p 予算は全部で⟪3..15⟫万円まで
p ⟪name⟫は車椅子なので、段差は避ける
p 最終日は⟪三|四|五⟫時までに終わること
p 赤ちゃんがいるので十時より前は動けない
p 一人は菜食、一人は小麦が食べられず、同じ店で食べたい
p 半分の人は一日遅れて来るが、大事な予定は逃せない
p 雨でも成り立つ午後が一つ必要
p すべて二日前まで取り消せること
p 二日目は二時から三時半までビデオ会議がある
p 手伝いは三人だけで、続けて働けるのは二時間まで
""",
    "planning ru": r"""
f В остальном нам всё равно
f Пишу из поезда, простите за опечатки
f Мы говорили об этом всю зиму
f ⟪name⟫ передаёт привет
1 Что взять с собой на выходные к озеру?
2 Придумай спокойную субботу в городе ⟪Казань|Тверь|Самара⟫.
6 Расписание в два круга для ⟪8|10|12⟫ команд: два поля, никто не играет дважды в день, дерби в конце.
8 Вывезти из долины ⟪8000|12000⟫ человек по одному мосту, сначала больница, связи нет: план, запасные варианты, условия.
--
o Составь поездку на ⟪три|четыре|пять⟫ дней, город: ⟪Ереван|Псков|Стамбул|Рига⟫.
o Как устроить ⟪проводы коллеги|праздник двора|небольшую свадьбу⟫?
o Сделай план работ: ⟪переезд|ремонт ванной|открытие лавки⟫.
p Потратить можно не больше ⟪20..90⟫ тысяч рублей
p Один человек в коляске, нигде не должно быть ступенек
p В последний день всё заканчивается к ⟪15|16|17⟫ часам
p Из-за младенца ничего не начинается раньше десяти
p Одна не ест мяса, другой не ест глютен, и обедают они вместе
p Половина приедет на день позже и не должна пропустить главное
p Один день должен подойти и для ливня
p Всё должно отменяться за два дня
p На второй день с 14:00 до 15:30 видеозвонок
p Помощников трое, и никто не работает дольше двух часов подряд
""",
    "planning hi": r"""
f बाकी सब में हमें कोई दिक्कत नहीं
f ट्रेन में लिख रहा हूँ, गलतियाँ माफ़ करें
f हम पूरी सर्दी इसकी बात करते रहे
f ⟪name⟫ ने भी नमस्ते कहा है
1 समुद्र किनारे सप्ताहांत के लिए क्या-क्या रखूँ?
2 ⟪जयपुर|पुणे|भोपाल⟫ में एक आराम का शनिवार सुझाइए।
6 ⟪8|10|12⟫ टीमों का दोहरा राउंड रॉबिन बनाइए: दो मैदान, एक दिन में दो मैच नहीं, डर्बी अंत में।
8 एक पुल से ⟪आठ|बारह⟫ हज़ार लोगों को निकालना है, अस्पताल पहले, फ़ोन बंद: योजना, विकल्प और संकेत लिखिए।
--
o ⟪उदयपुर|कोच्चि|दार्जिलिंग|वाराणसी⟫ की ⟪तीन|चार|पाँच⟫ दिन की यात्रा बनाइए।
o ⟪विदाई समारोह|मोहल्ले का मेला|छोटी शादी⟫ कैसे आयोजित करें?
o ⟪घर बदलने|स्नानघर की मरम्मत|छोटी दुकान खोलने⟫ की कार्ययोजना दीजिए।
p कुल खर्च ⟪10..60⟫ हज़ार रुपये से ज़्यादा न हो
p ⟪name⟫ व्हीलचेयर पर है, कहीं सीढ़ी न हो
p आख़िरी दिन ⟪तीन|चार|पाँच⟫ बजे तक सब ख़त्म होना चाहिए
p बच्चे की वजह से दस बजे से पहले कुछ नहीं हो सकता
p एक शाकाहारी है, एक को गेहूँ मना है, और दोनों साथ खाएँगे
p आधे लोग एक दिन बाद आएँगे और मुख्य कार्यक्रम न छूटे
p एक दोपहर बारिश में भी चलने लायक हो
p सब कुछ दो दिन पहले तक रद्द हो सके
p दूसरे दिन दो से साढ़े तीन बजे तक वीडियो कॉल है
p केवल तीन मददगार हैं, कोई लगातार दो घंटे से ज़्यादा काम नहीं करेगा
""",
    "knowledge en": r"""
f My daughter asked me this at breakfast and I had no answer
f I'm making cards for a pub quiz on ⟪Friday|Sunday⟫
f We argued about it on the way home from the ⟪museum|pool|cinema⟫
f I last heard about this at school, ages ago, with a teacher who wore bow ties
f It came up in a podcast I half listened to while doing the dishes
f I'm ⟪34..71⟫ and never too old to learn
f ⟪name⟫ bet me a coffee on it
f The book I'm reading mentions it once and then moves on to the author's garden
f There is a poster about it in my dentist's waiting room
f I'm asking out of plain curiosity
1 What is the capital of ⟪Bolivia|Mongolia|Latvia|Kenya|Uruguay|Laos|Oman|Croatia⟫?
1 who painted ⟪the Night Watch|Guernica|The Scream|Water Lilies⟫
1 Chemical symbol for ⟪tin|silver|potassium|tungsten|iron⟫?
1 In which year did ⟪the Berlin Wall fall|the Titanic sink|the first person walk on the Moon⟫?
1 How many ⟪strings does a cello have|legs does a lobster have|moons does Mars have|players are in a water polo team⟫?
1 largest ⟪ocean|desert|planet|bird⟫?
2 What does '⟪osmosis|filibuster|fresco|inflation|isotope|sonnet|pidgin⟫' mean?
2 Name three ⟪rivers in Asia|noble gases|Baroque composers|marsupials|Romance languages⟫.
2 What is a ⟪trade surplus|moraine|leap second|vaccine|mortgage|tide⟫, in one sentence?
3 Why do ⟪leaves change colour|cats purr|bridges have gaps|onions make us cry|stars twinkle⟫?
3 How does a ⟪heat pump|zip|lighthouse lens|barcode scanner|septic tank⟫ work?
3 Explain ⟪compound interest|photosynthesis|the offside rule|natural selection|plate tectonics⟫ to a twelve-year-old.
3 What was the ⟪Hanseatic League|Silk Road|Marshall Plan|Meiji Restoration⟫ good for?
4 What's the difference between ⟪weather and climate|a virus and a bacterium|equity and debt|civil and common
    law|rumination and reflection|AC and DC⟫, with an example of each?
4 How do ⟪vaccines of the mRNA kind and classic ones|reptiles and amphibians|oil and acrylic paint|Sunni and Shia
    traditions⟫ differ?
4 Which of ⟪nuclear, wind and coal|train, plane and coach|cotton, wool and nylon⟫ harms the climate least and why?
5 Trace how ⟪a mutation in one gene|a rise in interest rates|a failed monsoon|a blocked coronary artery⟫ leads step by
    step to ⟪its visible effects|effects far away⟫.
5 Why did ⟪the Bronze Age states collapse|the Ottoman Empire lose ground|the cod fishery of Newfoundland fail|Detroit
    shrink⟫? Rank the causes.
5 How do ⟪hormones keep blood sugar steady|central banks steer inflation|coral reefs feed themselves|glaciers shape
    valleys⟫, and what breaks the loop?
6 Compare the ⟪French, Russian and Iranian|Haitian, American and Mexican⟫ revolutions: which causes do they share, and
    which explain the different outcomes?
6 Why did industrialisation start in ⟪Britain and not in the Yangtze delta|Belgium before France⟫? Weigh the main
    explanations.
6 Set ⟪Keynes, Hayek and Minsky|Piaget, Vygotsky and Bruner|Darwin, Lamarck and Kimura⟫ side by side on one concrete case.
6 Is the ⟪Great Oxidation|Cambrian explosion|end-Permian extinction⟫ better explained from inside biology or from
    geology? Give the chain for each.
7 Which theories of ⟪consciousness|money|language origins|ageing⟫ survive the last ⟪twenty|thirty⟫ years of evidence,
    what does each predict that the others deny, and where does each fail?
7 Explain ⟪the rise of populism|the demographic transition|the decline of violence|antibiotic resistance⟫ across
    economic, cultural and institutional accounts, and separate cause from correlation.
7 Dark matter or modified gravity: go through ⟪rotation curves, lensing, the CMB and clusters|galaxies, clusters and
    the early universe⟫ and judge.
7 Would ⟪Rome have lasted without Christianity|the Cold War have ended without Gorbachev|Meiji Japan have modernised
    without gunboats⟫? Argue from mechanisms, not dates.
8 Reconcile ⟪general relativity with quantum theory|free will with neuroscience|moral realism with evolution⟫ as far
    as it goes: state the exact points of conflict, the best proposals, their costs, and what would decide between them.
8 Why is there no agreed theory of ⟪turbulence|high-temperature superconductivity|the origin of life|the great
    divergence⟫? Lay out rival programmes, their hidden assumptions, and a test that would hurt each of them.
8 Build one causal account of the ⟪1930s depression|fall of the Qing|2008 crisis|little ice age's politics⟫ that
    monetarists, Marxists and institutionalists could each attack, give their best attack, and repair it.
8 Does P versus NP matter for physics, biology and economics? Derive where the analogies break.
1 what language do they speak in ⟪Andorra|Suriname|Moldova|Angola⟫
1 Boiling point of ⟪ethanol|nitrogen|water at sea level⟫?
1 Which instrument did ⟪Paganini|Chopin|Coltrane⟫ play?
2 Give a synonym of '⟪frugal|verbose|brittle|candid⟫' and use it once.
2 Who was ⟪Ada Lovelace|Hatshepsut|Simón Bolívar|Ibn Battuta⟫? One line will do.
3 Why is ⟪the sky blue|the Dead Sea so salty|Venus hotter than Mercury|bread full of holes⟫?
3 What happens in the body when we ⟪blush|hiccup|run a fever⟫?
4 ⟪Alligator or crocodile|Cyclone or hurricane|Jam or jelly|Patent or copyright⟫: what sets them apart, and where does
    the line blur?
4 Two reasons for and two against calling ⟪Pluto a planet|Australia an island|a hot dog a sandwich⟫.
5 Follow ⟪a carbon atom|a drop of the Nile|one euro of tax|a rumour⟫ through its cycle and say at which point it can
    be held up, and by what.
5 How did ⟪printing|the stirrup|double-entry bookkeeping|the shipping container⟫ change power, stage by stage?
6 Why do ⟪some resource-rich countries stay poor|some languages lose their cases|some alliances outlive their enemies⟫
    and others not? Test two explanations on three cases.
6 Which is the better account of ⟪inflation in 2021 to 2023|the extinction of the mammoth|the fall of Constantinople⟫,
    A by supply, B by demand - or climate, hunting, contingency - and what would each have to explain away?
7 Does language shape thought? Sort the experiments by what they really exclude, not by what their authors conclude.
7 From Kuhn to Lakatos to Bayesian accounts: which one explains the ⟪plate tectonics|ulcer bacteria|cold fusion⟫
    episode, and what does its failure elsewhere show?
7 How much of the gap between ⟪North and South Korea|East and West Germany|Botswana and Zimbabwe⟫ is institutions?
    Identify, don't assert.
8 Is time's arrow cosmological, statistical or perspectival? Where do the three collapse into one, and where can't they?
8 Could there be a unified theory of ⟪punishment|meaning|species⟫? Derive the impossibility or sketch the theory,
    meeting each known counterexample.
""",
    "knowledge zh": r"""
f 今天早饭时孩子问我，我答不上来
f 我在准备周末的知识竞赛
f 昨天和⟪name⟫争了半天
f 书里只提了一句就过去了
f 纯粹是好奇
1 ⟪蒙古|肯尼亚|玻利维亚|克罗地亚⟫的首都是哪里？
1 ⟪锡|钨|钾|银⟫的元素符号是什么？
2 “⟪渗透|通货膨胀|同位素|壁画⟫”是什么意思？
3 ⟪树叶为什么会变色|星星为什么会闪|切洋葱为什么会流泪|热泵是怎么工作的⟫？
4 ⟪天气和气候|病毒和细菌|大陆法和普通法|股权和债权⟫有什么区别？各举一例。
5 ⟪青铜时代诸国为什么崩溃|利率上升如何一步步影响房价|血糖是怎样保持稳定的⟫？请按重要性排列原因。
6 比较⟪法国、俄国和伊朗|海地、美国和墨西哥⟫革命：共同的原因有哪些，哪些原因解释了不同的结局？
7 关于⟪意识|货币本质|语言起源|衰老⟫的各家理论，哪些经得住近二十年的证据，各自的预测有何冲突，又在哪里失败？
8 “大分流”至今没有定论，请列出对立的研究纲领、各自的隐含前提，以及能够否证每一家的检验。
8 试调和⟪广义相对论与量子论|自由意志与神经科学⟫：冲突点、最佳方案、代价、判决性证据。
1 《⟪红楼梦|聊斋志异|儒林外史⟫》的作者是谁？
2 列举三种⟪惰性气体|罗曼语族语言|有袋动物⟫。
3 ⟪天空为什么是蓝的|死海为什么这么咸|面包里为什么有孔⟫？
4 ⟪专利和著作权|短吻鳄和鳄鱼|油画和丙烯画⟫区别在哪，界线又在哪里模糊？
5 追踪⟪一个碳原子|一笔税款⟫的完整去向，并说明在哪一步会停滞、为什么。
6 为什么有些资源丰富的国家一直贫穷，有些却不是？用三个例子检验两种解释。
7 语言是否塑造思维？按实验真正排除了什么来整理证据，而不是按作者的结论。
8 时间之矢究竟是宇宙学的、统计的还是视角的？三种说法在何处合一，何处不能？
""",
    "knowledge es": r"""
f Me lo preguntó mi hija en el desayuno
f Preparo un concurso para el viernes
f Lo mencionaba un libro y no lo explicaba
f Es pura curiosidad
1 ¿Cuál es la capital de ⟪Mongolia|Kenia|Croacia|Omán⟫?
2 ¿Qué significa «⟪ósmosis|inflación|isótopo|soneto⟫»?
3 ¿⟪Por qué cambian de color las hojas|Cómo funciona una bomba de calor|Por qué titilan las estrellas⟫?
4 Diferencia entre ⟪tiempo y clima|virus y bacteria|deuda y capital⟫, con un ejemplo de cada uno.
5 ⟪¿Por qué cayeron los estados de la Edad del Bronce?|¿Cómo llega una subida de tipos al precio de la vivienda?⟫
    Ordena las causas.
6 Compara las revoluciones ⟪francesa, rusa e iraní|haitiana y mexicana⟫: ¿qué causas comparten y cuáles explican
    desenlaces distintos?
7 ¿Qué teorías de ⟪la conciencia|el dinero|el envejecimiento⟫ resisten la evidencia reciente, qué predice cada una
    contra las demás y dónde falla?
8 Concilia ⟪libre albedrío y neurociencia|relatividad general y mecánica cuántica⟫: conflictos exactos, propuestas,
    costes y qué los zanjaría.
""",
    "knowledge de": r"""
f Das hat mich meine Tochter beim Frühstück gefragt
f Ich bereite ein Quiz für Freitag vor
f In meinem Buch steht dazu nur ein Satz
f Ich frage aus reiner Neugier
1 Wie heißt die Hauptstadt von ⟪Kenia|Kroatien|Bolivien|Laos⟫?
2 Was bedeutet „⟪Osmose|Inflation|Isotop|Sonett⟫“?
3 ⟪Warum werden Blätter bunt?|Wie funktioniert eine Wärmepumpe?|Warum funkeln Sterne?⟫
4 Was ist der Unterschied zwischen ⟪Wetter und Klima|Virus und Bakterium|Eigen- und Fremdkapital⟫, mit je einem Beispiel?
5 ⟪Warum gingen die Staaten der Bronzezeit unter?|Wie wirkt ein Zinsanstieg Schritt für Schritt auf Mieten?⟫ Ordne die
    Ursachen nach Gewicht.
6 Vergleiche die ⟪französische, russische und iranische|haitianische und mexikanische⟫ Revolution: gemeinsame
    Ursachen, und was erklärt den verschiedenen Ausgang?
7 Welche Theorien ⟪des Bewusstseins|des Geldes|des Alterns⟫ halten den neueren Befunden stand, was sagt jede gegen die
    anderen voraus, wo scheitert sie?
8 Bring ⟪Willensfreiheit und Hirnforschung|Relativitäts- und Quantentheorie⟫ zusammen: genaue Konflikte, Vorschläge,
    Kosten, Entscheidbarkeit.
""",
    "knowledge fr": r"""
f Ma fille me l'a demandé au petit déjeuner
f Je prépare un quiz pour vendredi
f Mon livre n'en dit qu'une phrase
f C'est par pure curiosité
1 Quelle est la capitale ⟪du Kenya|de la Croatie|de la Bolivie|du Laos⟫ ?
2 Que veut dire « ⟪osmose|inflation|isotope|sonnet⟫ » ?
3 ⟪Pourquoi les feuilles changent-elles de couleur|Comment marche une pompe à chaleur|Pourquoi les étoiles
    scintillent-elles⟫ ?
4 Quelle différence entre ⟪météo et climat|virus et bactérie|dette et capital⟫ ? Un exemple de chaque.
5 ⟪Pourquoi les États de l'âge du bronze se sont-ils effondrés ?|Comment une hausse des taux atteint-elle les loyers
    ?⟫ Classe les causes.
6 Compare les révolutions ⟪française, russe et iranienne|haïtienne et mexicaine⟫ : causes communes, et celles qui
    expliquent des issues différentes.
7 Quelles théories ⟪de la conscience|de la monnaie|du vieillissement⟫ résistent aux données récentes, que prédit
    chacune contre les autres, où échoue-t-elle ?
8 Concilier ⟪libre arbitre et neurosciences|relativité générale et mécanique quantique⟫ : conflits exacts,
    propositions, coûts, test décisif.
""",
    "knowledge ja": r"""
f 朝ごはんのときに娘に聞かれました
f 金曜日のクイズ大会の準備です
f 本には一行しか書いてありませんでした
f ただの好奇心です
1 ⟪モンゴル|ケニア|クロアチア|ラオス⟫の首都はどこ？
2 「⟪浸透圧|インフレ|同位体|日食⟫」とは何ですか？
3 ⟪葉はなぜ色が変わる|ヒートポンプはどう動く|星はなぜまたたく⟫のですか？
4 ⟪天気と気候|ウイルスと細菌|株式と債券⟫の違いを、例を一つずつ挙げて教えて。
5 ⟪青銅器時代の国々はなぜ滅びたのか|金利の上昇はどう家賃に及ぶのか⟫。原因を重い順に並べて。
6 ⟪フランス、ロシア、イラン|ハイチとメキシコ⟫の革命を比べ、共通の原因と、結末の違いを説明する原因を分けて。
7 ⟪意識|貨幣|老化⟫の諸理論のうち近年の証拠に耐えるのはどれか。互いに食い違う予測と、それぞれの弱点も。
8 ⟪自由意志と神経科学|一般相対論と量子論⟫を調停せよ。衝突点、提案、その代償、決着をつける証拠を述べよ。
""",
    "knowledge ru": r"""
f Дочка спросила за завтраком
f Готовлю викторину на пятницу
f В книге об этом одна строчка
f Спрашиваю из чистого любопытства
1 Назови столицу: ⟪Кения|Хорватия|Боливия|Лаос⟫.
2 Что значит слово «⟪осмос|инфляция|изотоп|сонет⟫»?
3 ⟪Почему листья меняют цвет|Как работает тепловой насос|Почему мерцают звёзды⟫?
4 Чем отличаются ⟪погода и климат|вирус и бактерия|долг и капитал⟫? Приведи по примеру.
5 ⟪Почему рухнули государства бронзового века?|Как рост ставки доходит до цен на жильё?⟫ Расставь причины по весу.
6 Сравни ⟪французскую, русскую и иранскую|гаитянскую и мексиканскую⟫ революции: общие причины и те, что объясняют
    разный исход.
7 Какие теории ⟪сознания|денег|старения⟫ выдерживают новые данные, что каждая предсказывает вопреки другим и где
    проваливается?
8 Примири ⟪свободу воли и нейронауку|теорию относительности и квантовую механику⟫: точки конфликта, предложения, цена,
    решающий опыт.
""",
    "knowledge hi": r"""
f बेटी ने नाश्ते पर यह पूछ लिया
f शुक्रवार की क्विज़ की तैयारी है
f किताब में बस एक पंक्ति थी
f सिर्फ़ जिज्ञासा है
1 ⟪केन्या|क्रोएशिया|मंगोलिया|लाओस⟫ की राजधानी क्या है?
2 '⟪परासरण|मुद्रास्फीति|समस्थानिक|ग्रहण⟫' का मतलब क्या है?
3 ⟪पत्ते रंग क्यों बदलते हैं|हीट पंप कैसे काम करता है|तारे क्यों टिमटिमाते हैं⟫?
4 ⟪मौसम और जलवायु|वायरस और बैक्टीरिया|ऋण और पूँजी⟫ में क्या अंतर है? एक-एक उदाहरण दीजिए।
5 ⟪कांस्य युग के राज्य क्यों गिरे?|ब्याज दर बढ़ने का असर मकानों के दाम तक कैसे पहुँचता है?⟫ कारणों को महत्व के क्रम
    में रखिए।
6 ⟪फ़्रांसीसी, रूसी और ईरानी|हैती और मेक्सिको की⟫ क्रांतियों की तुलना कीजिए: साझा कारण, और वे जो अलग परिणाम समझाते हैं।
7 ⟪चेतना|मुद्रा|बुढ़ापे⟫ के कौन से सिद्धांत नए प्रमाणों पर टिकते हैं, हर एक दूसरों के विरुद्ध क्या कहता है और कहाँ चूकता है?
8 ⟪स्वतंत्र इच्छा और तंत्रिका विज्ञान|सापेक्षता और क्वांटम सिद्धांत⟫ में मेल बैठाइए: टकराव, प्रस्ताव, कीमत और निर्णायक
    परीक्षण।
""",
    "coding en": r"""
f I'm on ⟪Python 3.11|Python 3.12|an old laptop|Ubuntu⟫ and can install whatever is needed
f It is for a ⟪small museum|bike club|bakery|night school|seed library⟫, nothing commercial
f My colleague ⟪name⟫ wrote the first version and has left since
f The file has ⟪three|four⟫ columns, by the way, and the header is in capitals
f I learned programming from a library book last ⟪spring|winter⟫
f Comments are nice but not too many
f We use tabs, don't ask
f It will run once a ⟪day|week|month⟫, at night
f The rest of the project works fine
f I'd rather read short names than long ones
1 Print the numbers from 1 to ⟪10..200⟫ in ⟪Python|Ruby|Go|JavaScript⟫.
1 ⟪Python|Kotlin|Rust|PHP⟫: make a list of ⟪three|five⟫ ⟪fruits|weekdays|colours⟫ and print it.
1 how do i get the length of a ⟪string|list|slice|map⟫ in ⟪python|swift|go|java⟫
1 Write a function that returns the ⟪square|double|negative⟫ of a number.
1 Variable for my age in ⟪C#|TypeScript|Lua⟫ please, and print it with a greeting.
2 Sum the even numbers in a list, ⟪Python|JavaScript|Ruby|Java⟫.
2 A ⟪Python|Go|C⟫ loop that counts how often the letter ⟪a|e|t⟫ appears in a text.
2 Read a file line by line and print the lines that contain '⟪error|total|Monday⟫'.
2 convert a list of ⟪celsius|miles|euros⟫ to ⟪fahrenheit|kilometres|dollars at a fixed rate⟫ in one line of python
2 FizzBuzz, but with ⟪3 and 7|4 and 9⟫, in ⟪Perl|Scala|Elixir⟫.
3 Group a list of ⟪orders|readings|loans⟫ by ⟪customer|sensor|member⟫ and give the average of each group, without libraries.
3 Parse dates in three formats from a CSV column, skip broken ones, and print how many of each month there are.
3 Write `def ⟪dedupe|merge_runs|squash⟫(items: list[int]) -> list[int]:` which removes neighbours that are equal but
    keeps the order, and test it.
3 Validate a ⟪licence plate|room code|article number⟫ such as ⟪AB-1234|K7-009⟫ by regex and say which part is wrong.
3 Bash: rename all .jpeg files below a folder to .jpg unless the target exists, and list what was skipped.
4 Implement a stack that also returns its ⟪minimum|maximum⟫ in constant time, with tests.
4 ⟪Binary search tree|Linked list|Ring buffer⟫ in ⟪Java|Rust|Go|C++⟫ with insert, delete and an iterator.
4 A command-line to-do app: add, finish, list by due date, saved as JSON, broken files handled.
4 Memoised ⟪grid paths with blocked cells|coin change with limited coins⟫ and how to print one solution.
4 Retry decorator: exponential waits, jitter, only for given exceptions, sync and async.
5 LRU cache with expiry per entry, O(1) for everything, thread-safe, and a test that shows eviction order.
5 Parse and evaluate ⟪arithmetic with variables and functions|a filter language like age>3 and (city=x or not open)⟫;
    write tokenizer, parser, errors with column.
5 Longest ⟪palindromic|balanced|alternating⟫ subsequence after at most ⟪one|two⟫ edits, ⟪n up to 5,000|n up to 2,000⟫.
    Code and complexity.
5 Shortest route in a grid where you may break ⟪two|three⟫ walls and keys open doors of the same letter.
6 Segment tree with range add, range assign and range maximum; prove the push order right and test against brute force.
6 Count the ⟪tilings of a 4 by n board with L-pieces|numbers below 10^18 without two equal neighbours and divisible by 7⟫.
6 Write an incremental build tool: hash inputs, detect cycles, run in parallel, resume after a crash.
6 Text diff in O(ND) with moved blocks, unicode graphemes, and a stable output.
6 Collaborative counter and set that merge offline edits of many devices (CRDT) in TypeScript, with property tests.
7 Lock-free ⟪multi-producer queue|hash map|stack⟫ in ⟪C++20|Rust⟫ with memory orderings justified and reclamation solved.
7 Design and implement a rate limiter for ⟪40|200⟫ nodes, per tenant, bursts allowed, clock skew up to ⟪2|5⟫ s, no
    single point of failure.
7 A write-ahead log with group commit, torn-page detection and recovery; show the invariants and a fault-injection test.
7 Type inference for a small ML with let-polymorphism, records and recursive types; explain unsoundness traps.
7 Max-flow with lower bounds and costs on ⟪10^4|10^5⟫ edges, then extract the cut; numerically safe.
8 Implement Raft with membership change and snapshots, and argue that no committed entry is lost.
8 Serializable transactions over sharded key-value stores: protocol, code of the coordinator, deadlock, failover,
    proofs of the anomalies excluded.
8 Write a JIT for a toy bytecode: SSA, register allocation, deoptimisation, GC maps, and differential tests.
8 Exactly-once stream join over two regions with late data, schema changes and replays: design, implement the core,
    show what fails first.
8 Wait-free snapshot object from registers in ⟪Rust|C++⟫, with a linearizability proof.
1 ⟪Bash|PowerShell⟫: show today's date.
1 make ⟪a button|a heading|an unordered list⟫ in html
1 Python: uppercase of "⟪moss|kettle⟫"
2 Swap keys and values of a dict in ⟪Python|JavaScript|Swift⟫.
2 SQL-free: find the largest of three numbers, ⟪C|Pascal|Go⟫.
2 css to centre a ⟪div|picture⟫, and a hover colour
3 Flask route that takes a ⟪city|plant⟫ name, looks it up in a dict, 404 otherwise.
3 Count words in all .txt files of a folder, ignore case, show the top ⟪10|25⟫.
3 Regex for times like ⟪7:05 pm|19.05⟫, with the parts as named groups.
4 Undo and redo for a text buffer, commands merged if typed within a second.
4 Dijkstra with path reconstruction in ⟪Go|Python|C#⟫; what if an edge is negative?
4 Cron parser: next run after a given moment, ranges, steps, lists.
5 K-way merge of sorted files that don't fit in memory, dedupe, stable, resumable.
5 Sudoku solver with constraint propagation, then count solutions up to ⟪2|10⟫.
5 Interval scheduling with weights and a cool-down of k between jobs of one kind. O(n log n).
6 Suffix automaton; distinct substrings occurring at least ⟪twice|three times⟫.
6 Cooperative scheduler with cancellation, timeouts and structured concurrency in ⟪C++ coroutines|Python generators⟫.
6 Layout engine for tables with spans and min/max widths, linear time claim argued.
7 Persistent B-tree with MVCC, snapshot reads and online compaction.
7 Byzantine broadcast for n > 3f with signatures in Rust, simulated adversary included.
7 Register allocator by graph colouring with coalescing and spill cost; show termination.
8 Verified garbage collector, concurrent, with write barrier: invariants and the proof of no lost object.
8 Geo-replicated SQL with follower reads, clock uncertainty as in TrueTime but only NTP: implement commit wait, bound
    staleness, show safety.
-- 1
o Write a small ⟪Python|Go|Rust|TypeScript|Kotlin⟫ program that keeps the ⟪bookings of a boat hire|loans of a toy
    library|shifts of a café|catalogue of a seed bank⟫.
o Build a service for ⟪queueing print jobs|short links|sensor readings|parking permits⟫.
o I need a module for ⟪seat reservations|stock counts|exam grading|ticket sales⟫ in ⟪Java|Python|C#|Elixir⟫.
o Please code a ⟪log shipper|job scheduler|file watcher|feed reader⟫.
p It must survive being killed at any moment without losing accepted work
p Several processes write at the same time and readers may never see half an update
p Input can be larger than memory
p Every change has to be undoable, also after a restart
p Old clients speak version 1 of the format and must keep working
p Answers within ⟪20..90⟫ ms while ⟪2..9⟫ thousand clients are connected
p Rules are given as text at run time and need a safe evaluator
p The order within one customer is kept, across customers it runs in parallel
p Duplicates of the same message may arrive for up to ⟪two|six⟫ hours and count once
p Time zones and the hour that exists twice must be right
p Tests may not use sleep and have to cover the races
p Costs are charged per tenant and must add up exactly to the bill
p Schema changes happen while it runs
""",
    "coding zh": r"""
f 这是给⟪自行车俱乐部|小书店|夜校⟫用的，不是商业项目
f 同事写了第一版，后来离职了
f 文件一共⟪三|四⟫列，表头是大写的
f 注释不用太多
1 用⟪Python|Go|Java⟫打印1到⟪10..100⟫。
1 写一个函数，返回一个数的⟪平方|两倍⟫。
2 统计一段文字里字母⟪a|e⟫出现的次数，用⟪Python|C⟫。
3 把订单按客户分组，求每组平均金额，不用第三方库。
4 用⟪Java|Rust⟫实现带最小值查询的栈，要求O(1)，并写测试。
5 实现带过期时间的LRU缓存，所有操作O(1)，线程安全。
6 线段树：区间加、区间赋值、区间最大值，说明标记下传顺序为什么正确。
7 设计并实现⟪40|200⟫个节点的限流器，允许突发，时钟有偏差，不能有单点故障。
8 实现支持成员变更和快照的Raft，并论证已提交日志不会丢失。
8 写一个无等待的快照对象并证明可线性化。
1 ⟪HTML|CSS⟫里怎么写一个按钮？
2 找出三个数中最大的，用⟪C|Go⟫。
3 统计文件夹内所有txt文件的词频，忽略大小写，输出前⟪10|20⟫。
4 用⟪Go|Python⟫写带路径还原的迪杰斯特拉算法，负边怎么办？
5 多路归并内存放不下的有序文件，去重、稳定、可断点续做。
6 后缀自动机：至少出现⟪两|三⟫次的不同子串个数。
7 支持多版本和在线压缩的持久化B树。
8 写一个并发垃圾回收器，给出写屏障、不变式和不丢对象的证明。
-- 1
o 写一个管理⟪租船预订|玩具借还|门票销售⟫的程序，语言用⟪Python|Go|Java⟫。
o 请实现一个⟪任务调度|短链接|传感器采集⟫服务。
p 任何时刻被强行终止都不能丢失已接受的数据
p 多个进程同时写，读者不能看到更新到一半的状态
p 输入可能比内存大
p 每次修改都能撤销，重启后也可以
p 旧版本客户端要继续可用
p 同一客户的顺序要保持，不同客户并行
p 重复消息在两小时内只能算一次
p 时区和夏令时要正确
p 测试不能用sleep，并且要覆盖竞争条件
""",
    "coding es": r"""
f Es para ⟪un club ciclista|una librería pequeña⟫, nada comercial
f La primera versión la hizo un compañero que ya no está
f No hacen falta muchos comentarios
1 Imprime los números del 1 al ⟪10..100⟫ en ⟪Python|Go⟫.
2 Cuenta las vocales de un texto en ⟪Python|Java⟫.
3 Agrupa pedidos por cliente y calcula la media de cada grupo sin librerías.
4 Pila con mínimo en tiempo constante en ⟪Rust|Java⟫, con pruebas.
5 Caché LRU con caducidad, O(1), segura entre hilos.
6 Árbol de segmentos con suma y asignación por rangos; justifica el orden de propagación.
7 Diseña e implementa un limitador de peticiones para ⟪40|200⟫ nodos con relojes desviados y sin punto único de fallo.
8 Implementa Raft con cambio de miembros e instantáneas y argumenta que no se pierde nada confirmado.
-- 1
o Escribe un programa en ⟪Python|Go|Java⟫ que gestione ⟪reservas de barcas|préstamos de juguetes|entradas⟫.
p Si lo matan en cualquier momento no se pierde nada aceptado
p Escriben varios procesos a la vez y nadie ve cambios a medias
p La entrada puede ser mayor que la memoria
p Todo cambio se puede deshacer, también tras reiniciar
p Los clientes antiguos deben seguir funcionando
p Por cliente se mantiene el orden y entre clientes va en paralelo
p Un mensaje repetido en dos horas cuenta una vez
p Las pruebas cubren las carreras sin usar esperas
""",
    "coding de": r"""
f Das ist für ⟪einen Radverein|einen kleinen Buchladen⟫, nichts Kommerzielles
f Die erste Fassung schrieb ein Kollege, der nicht mehr da ist
f Viele Kommentare braucht es nicht
1 Gib die Zahlen von 1 bis ⟪10..100⟫ in ⟪Python|Go⟫ aus.
2 Zähle in ⟪Python|Java⟫, wie oft ein Buchstabe in einem Text vorkommt.
3 Gruppiere Bestellungen nach Kunden und gib den Mittelwert jeder Gruppe aus, ohne Bibliotheken.
4 Stapel mit Minimum in konstanter Zeit in ⟪Rust|Java⟫, mit Tests.
5 LRU-Cache mit Ablaufzeit, alles in O(1), fädensicher.
6 Segmentbaum mit Addieren und Setzen auf Bereichen; begründe die Reihenfolge beim Weitergeben.
7 Entwirf und schreib einen Ratenbegrenzer für ⟪40|200⟫ Knoten, Uhren gehen falsch, kein einzelner Ausfallpunkt.
8 Raft mit Mitgliederwechsel und Schnappschüssen implementieren und zeigen, dass nichts Bestätigtes verloren geht.
-- 1
o Schreib ein Programm in ⟪Python|Go|Java⟫ für ⟪einen Bootsverleih|eine Spielzeugausleihe|Ticketverkauf⟫.
p Auch wenn es jederzeit abgeschossen wird, geht nichts Angenommenes verloren
p Mehrere Prozesse schreiben gleichzeitig, niemand sieht halbe Änderungen
p Die Eingabe kann größer als der Speicher sein
p Jede Änderung ist rückgängig zu machen, auch nach einem Neustart
p Alte Clients müssen weiter funktionieren
p Je Kunde bleibt die Reihenfolge, zwischen Kunden läuft es parallel
p Eine doppelte Nachricht zählt zwei Stunden lang nur einmal
p Tests decken die Wettläufe ab, ohne zu warten
""",
    "coding fr": r"""
f C'est pour ⟪un club de vélo|une petite librairie⟫, rien de commercial
f La première version est d'un collègue parti depuis
f Pas besoin de beaucoup de commentaires
1 Affiche les nombres de 1 à ⟪10..100⟫ en ⟪Python|Go⟫.
2 Compte les voyelles d'un texte en ⟪Python|Java⟫.
3 Regroupe des commandes par client et donne la moyenne de chaque groupe, sans bibliothèque.
4 Pile avec minimum en temps constant en ⟪Rust|Java⟫, avec des tests.
5 Cache LRU avec expiration, tout en O(1), sûr entre fils d'exécution.
6 Arbre de segments avec ajout et affectation sur intervalle ; justifie l'ordre de propagation.
7 Conçois et écris un limiteur de débit pour ⟪40|200⟫ nœuds, horloges décalées, sans point de panne unique.
8 Écris Raft avec changement de membres et instantanés, et montre que rien de validé ne se perd.
-- 1
o Écris un programme en ⟪Python|Go|Java⟫ pour gérer ⟪la location de barques|le prêt de jouets|la vente de billets⟫.
p Tué à tout moment, il ne perd rien de ce qu'il a accepté
p Plusieurs processus écrivent en même temps et personne ne voit une demi-modification
p L'entrée peut dépasser la mémoire
p Chaque modification s'annule, même après un redémarrage
p Les anciens clients doivent continuer à marcher
p L'ordre est gardé par client, le reste va en parallèle
p Un message répété sous deux heures compte une fois
p Les tests couvrent les courses sans attente
""",
    "coding ja": r"""
f ⟪自転車クラブ|小さな本屋⟫のためで、商用ではありません
f 最初の版を書いた同僚はもういません
f コメントは少なめで
1 ⟪Python|Go⟫で1から⟪10..100⟫まで表示して。
2 文章の中の文字⟪a|e⟫の数を⟪Python|Java⟫で数えて。
3 注文を顧客ごとにまとめ、平均を出す関数を、ライブラリなしで。
4 最小値を定数時間で返すスタックを⟪Rust|Java⟫で、テスト付きで。
5 期限つきのLRUキャッシュ。すべてO(1)、スレッド安全に。
6 区間加算と区間代入のセグメント木。遅延伝播の順序が正しい理由も。
7 ⟪40|200⟫台で動くレート制限を設計し実装せよ。時計のずれあり、単一障害点なし。
8 メンバー変更とスナップショットつきのRaftを実装し、確定した記録が失われないことを論じよ。
-- 1
o ⟪貸しボートの予約|おもちゃの貸し出し|切符の販売⟫を扱う⟪Python|Go|Java⟫のプログラムを書いて。
p いつ強制終了されても、受け付けた仕事を失わないこと
p 複数のプロセスが同時に書いても、途中の状態が見えないこと
p 入力はメモリより大きいことがある
p 変更は再起動後も取り消せること
p 古いクライアントもそのまま動くこと
p 顧客ごとの順序は守り、顧客間は並列にすること
p 二時間以内の重複メッセージは一回と数えること
p テストは待ち時間なしで競合を確かめること
""",
    "coding ru": r"""
f Это для ⟪велоклуба|книжной лавки⟫, не для продажи
f Первую версию писал коллега, он уже ушёл
f Комментариев много не надо
1 Выведи числа от 1 до ⟪10..100⟫ на ⟪Python|Go⟫.
2 Посчитай гласные в тексте на ⟪Python|Java⟫.
3 Сгруппируй заказы по клиентам и найди среднее в каждой группе без библиотек.
4 Стек с минимумом за константу на ⟪Rust|Java⟫, с тестами.
5 LRU-кэш со сроком жизни, всё за O(1), потокобезопасный.
6 Дерево отрезков с прибавлением и присваиванием; обоснуй порядок проталкивания.
7 Спроектируй и напиши ограничитель запросов на ⟪40|200⟫ узлов: часы расходятся, единой точки отказа нет.
8 Реализуй Raft со сменой участников и снимками и докажи, что подтверждённое не теряется.
-- 1
o Напиши программу на ⟪Python|Go|Java⟫: ⟪прокат лодок|выдача игрушек|продажа билетов⟫.
p Если её убьют в любой момент, принятое не теряется
p Пишут сразу несколько процессов, половину изменения никто не видит
p Вход может быть больше памяти
p Любое изменение можно отменить, даже после перезапуска
p Старые клиенты должны работать дальше
p Порядок внутри клиента сохраняется, между клиентами всё идёт параллельно
p Повтор сообщения за два часа считается один раз
p Тесты ловят гонки без ожиданий
""",
    "coding hi": r"""
f यह ⟪साइकिल क्लब|छोटी दुकान⟫ के लिए है
f पहला संस्करण एक साथी ने लिखा था जो अब नहीं है
f टिप्पणियाँ कम रखें
1 ⟪Python|Go⟫ में 1 से ⟪10..100⟫ तक की संख्याएँ छापिए।
2 ⟪Python|Java⟫ में गिनिए कि एक अक्षर पाठ में कितनी बार आता है।
3 ऑर्डरों को ग्राहक के अनुसार समूहित करके हर समूह का औसत निकालिए, बिना लाइब्रेरी के।
4 ⟪Rust|Java⟫ में ऐसा स्टैक बनाइए जो न्यूनतम स्थिर समय में दे, परीक्षण सहित।
5 समय सीमा वाला LRU कैश, सब कुछ O(1), थ्रेड-सुरक्षित।
6 रेंज जोड़ और रेंज असाइन वाला सेगमेंट ट्री, lazy क्रम सही क्यों है यह भी बताइए।
7 ⟪40|200⟫ नोड के लिए रेट लिमिटर डिज़ाइन कर के लिखिए: घड़ियाँ अलग, कोई एकल विफलता बिंदु नहीं।
8 सदस्य बदलाव और स्नैपशॉट सहित Raft लिखिए और दिखाइए कि स्वीकृत प्रविष्टि कभी नहीं खोती।
-- 1
o ⟪नाव किराये|खिलौनों के लेन-देन|टिकट बिक्री⟫ के लिए ⟪Python|Go|Java⟫ में प्रोग्राम लिखिए।
p कभी भी बंद हो जाए तो स्वीकृत काम न खोए
p कई प्रोसेस साथ लिखें और अधूरा बदलाव किसी को न दिखे
p इनपुट मेमोरी से बड़ा हो सकता है
p हर बदलाव वापस हो सके, रीस्टार्ट के बाद भी
p पुराने क्लाइंट चलते रहें
p एक ग्राहक का क्रम बना रहे, बाकी समानांतर चले
p दो घंटे में दोहराया संदेश एक बार गिना जाए
p टेस्ट बिना प्रतीक्षा के रेस पकड़ें
""",
    "debugging en": r"""
w {}
w What's wrong here?\n\n{}
w {}\n\nWhy, and how do I fix it?
w please find the bug\n{}
w This used to work, or so ⟪name⟫ says:\n\n{}
f It is part of a script for a ⟪choir|pottery class|bird count⟫
f I've restarted everything twice and had a tea
f The editor underlines nothing
f I'm on ⟪Linux|Windows|a Mac⟫, if that matters
f There are about ⟪200..900⟫ other lines that have nothing to do with it
f I tried the version from last ⟪week|month⟫ too, same story
f My colleague says to rewrite it all but I'd rather understand it
1 pritn("⟪hello|ready|done⟫")  -> NameError
1 ```python\nif ⟪x|age|n⟫ > ⟪3..40⟫\n    print("ok")\n```\nSyntaxError: expected ':'
1 const ⟪total|count⟫ = 3;\n⟪console.log(totl)|console.log(cuont)⟫\nReferenceError
1 System.out.println("⟪start|bye⟫")   // javac: ';' expected
2 ```python\nage = input("Age? ")\nprint(age + ⟪1..9⟫)\n```\nTypeError when I type a number.
2 for (let i = 0; i <= ⟪rows|names|a⟫.length; i++) console.log(⟪rows|names|a⟫[i].id)\n// last one: cannot read id of
    undefined
2 def mean(v): return sum(v) / len(v)\nmean([])  -> ZeroDivisionError, I want ⟪0|None⟫ there
2 if (⟪done|open⟫ = true) { close(); }  // always runs, C
3 ```python\ndef add(item, bag=[]):\n    bag.append(item)\n    return bag\n```\nThe second call returns the first item too.
3 My loop skips some: for ⟪x|row|t⟫ in items:\n    if ⟪x|row|t⟫ is None: items.remove(⟪x|row|t⟫)
3 `SELECT * FROM loans WHERE returned = NULL` gives nothing although ⟪12..90⟫ are open.
3 grid = [[0] * ⟪3..9⟫] * ⟪3..9⟫; grid[0][0] = 1 changes a whole column.
4 ```js\nfor (var i = 0; i < ⟪3..9⟫; i++) setTimeout(() => show(i), 10)\n```\nshows the same number every time, and
    with let the order is right but the page still freezes.
4 Binary search loops for ever on two elements: while lo < hi: mid = (lo + hi) // 2; if a[mid] <= t: lo = mid else: hi
    = mid - 1
4 Totals differ by a cent: sum of round(p * 0.⟪07|19|21⟫, 2) per line vs on the whole bill. Which is the bug?
4 Python import error only under pytest, not with python main.py; package has the same name as ⟪a test folder|a stdlib
    module⟫.
5 ```python\nasync def load(ids):\n    out = []\n    for i in
    ids:\n        out.append(asyncio.create_task(get(i)))\n    return [t.result() for t in out]\n```\nInvalidStateError,
    sometimes.
5 Cache returns another customer's page, about one in ⟪2..9⟫ thousand. Key: path + language. Vary header: none. CDN in
    front.
5 C: char *join(...) { char buf[⟪64|128⟫]; ... return buf; } prints fine in debug, garbage with -O2. And valgrind is silent.
5 Recursive flatten gives RecursionError only for ⟪one|two⟫ of 400 files; those hold a node that names itself through
    an alias.
6 Two workers: each does SELECT stock, then UPDATE stock = :n - 1. Stock went to -⟪1..5⟫. With FOR UPDATE we get
    deadlocks instead. Postgres, read committed.
6 Memory grows ⟪20..90⟫ MB an hour, heap dump flat, threads flat, RSS not. Node with native image resizing. Where do I
    look, in what order?
6 ```go\nfor _, u := range users {\n    go func() { results[u.ID] = fetch(u) }()\n}\n```\nfatal error: concurrent map
    writes; with a mutex the numbers are still wrong (Go 1.20).
6 Totals in the hourly report are right in winter, off by one bucket from ⟪March|April⟫ to October, twice wrong in one
    night. Code below uses naive datetimes, cron in local time, DB in UTC.
7 p99 doubles every ⟪30|40|45⟫ minutes for two, then recovers. CPU flat, GC flat, pool ⟪40|50⟫, DNS TTL 30, keep-alive
    60. Explain.
7 std::atomic<bool> ready with relaxed store after writing data; ARM shows stale data once in ⟪10|40⟫ million, x86
    never. Fix without seq_cst and prove it.
7 Kafka consumer reprocesses ⟪200..900⟫ messages after each deploy, but only if a rebalance overlaps a slow batch;
    commits are manual and after the work. Which interleavings explain it, which fix keeps order?
7 Double-checked lock in Java without volatile, object has final and non-final fields: list every outcome the memory
    model allows.
8 Once a week two leaders for ⟪3..11⟫ s, one lost write, no partition seen. etcd leases, VM pauses, NTP step in the
    log of one node. Reconstruct, prove it, redesign.
8 Intermittent wrong checksums: only with ⟪two|four⟫ NUMA nodes, only after suspend, only above ⟪16|64⟫ KB, never
    under gdb. Kernel module attached in words: DMA buffer reused after completion callback, completion on another CPU.
    Find all races.
8 Snapshot isolation, three services, outbox pattern; balance invariant broken ⟪twice|once⟫ a month. Which anomaly
    cycle is possible, how do we show it from logs, what is the cheapest sound repair?
1 my list is named '⟪rows|teams⟫' but it says NameError: name '⟪row|team⟫' is not defined
1 `SELCT name FROM ⟪boats|plants⟫` syntax error near SELCT
2 printf("%d", ⟪3.5|2.25⟫) prints rubbish in C
2 `git push` says no upstream branch, what did I forget
2 Off by one? range(1, ⟪10|12|31⟫) never shows the last ⟪month|day|page⟫
3 if name == "⟪Ann|Bo⟫" or "⟪Cy|Di⟫": always true, why
3 ⟪Python|JS⟫: I copy a list with b = a, change b, and a changes
3 CSS: the box is ⟪20|40⟫px wider than its width: 100% parent, padding involved
4 Sorted "⟪10|12⟫", "9", "2" puts 9 last although they're all numbers, and after int() one row crashes on '⟪n/a|-⟫'.
4 Date shows the day before, but only for users in ⟪Brazil|Chile|Canada⟫: new
    Date("2024-0⟪3..9⟫-0⟪2..9⟫").toLocaleDateString()
5 Unit test passes alone, fails in the suite, passes with -p no:randomly. It patches os.environ and reads a module
    constant. Chain?
5 React list keeps the wrong checkbox ticked after deleting a row, key={index}, state in the row, filter above.
5 Makefile rebuilds all each time in Docker, never at home. Timestamps from git, volume is ⟪NFS|a bind mount⟫.
6 Queue worker stalls at ⟪10|20⟫ jobs: pool of the same size, each job waits for a child job in the same pool, but
    only under retries.
6 Float sums differ between 1 and ⟪4|8⟫ threads, and the test compares hashes. Fix without giving up speed or the test.
7 kill -9 during rename leaves an empty file on ext4, never on xfs; we write, close, rename. Explain every ordering
    and cure it.
7 Tail of the queue length is heavier than M/M/1 predicts by ⟪3|5⟫x at load 0.⟪6|7⟫; arrivals look Poisson per minute.
    Find the cause from traces.
8 A compiler miscompiles our loop only with LTO and profile data; reduce it, find which pass, prove UB is or isn't ours.
8 Quorum reads, clocks fine, linearizability checker finds a stale read in ⟪1|2⟫ of 10^7 histories after a snapshot
    install. Which message order?
""",
    "debugging zh": r"""
w {}
w 这段代码哪里错了？\n{}
w {}\n为什么？怎么改？
f 这是合唱团用的小脚本
f 我已经重启过两次了
f 编辑器没有任何提示
1 pritn("你好")  报 NameError
1 if x > ⟪3..20⟫\n    print(x)  提示缺少冒号
2 age = input("年龄：")\nprint(age + 1)  报 TypeError
3 def add(x, box=[]):\n    box.append(x)\n    return box\n第二次调用会带上第一次的数据
4 二分查找在只剩两个元素时死循环：mid = (lo+hi)//2; if a[mid] <= t: lo = mid else: hi = mid-1
5 缓存偶尔返回别的用户的页面，大约每⟪两|五⟫千次一次，键是路径加语言，前面有CDN。
6 两个进程先查库存再扣减，库存变成负数；加了 FOR UPDATE 又死锁。隔离级别是读已提交。
7 每⟪30|40⟫分钟p99翻倍两分钟后恢复，CPU、GC都平稳，DNS TTL 30，长连接60，请解释。
8 每周一次出现双主，持续⟪3..9⟫秒，丢一次写入，没有网络分区，日志里有时钟跳变和虚机暂停。请还原过程并重新设计。
""",
    "sql en": r"""
d Tables: members(id, name, town, joined), loans(id, member_id, tool_id, taken, returned), tools(id, label, kind, price)
d schema:\n  guests(id, name, country)\n  stays(id, guest_id, room_id, arrival, departure, paid)\n  rooms(id, floor,
    beds, rate)
d CREATE TABLE readings (sensor int, at timestamp, value numeric); CREATE TABLE sensors (sensor int, site text, unit
    text); CREATE TABLE sites (site text, region text, opened date);
f It's ⟪PostgreSQL 15|SQLite|MySQL 8|SQL Server⟫
f The data comes from a ⟪tool library|hostel|weather club⟫, about ⟪20..90⟫ thousand rows
f There is an index on every id
f I only have read access
f A colleague wants to paste it into a spreadsheet afterwards
f Names may contain umlauts
f Nobody has cleaned the old rows since ⟪2014..2022⟫
1 All ⟪members|guests|sensors⟫ from ⟪@city⟫.
1 select the ten newest rows
1 SQL for all rows with a price above ⟪10..90⟫
2 Newest ⟪5|10|20⟫ rows with a value over ⟪10..60⟫, sorted by date then name.
2 How many rows are there per ⟪kind|country|site⟫?
3 Names of everyone with more than ⟪2..9⟫ ⟪loans|stays⟫ in ⟪2021..2024⟫, most first.
3 Average ⟪price|rate|value⟫ per ⟪kind|floor|site⟫, only groups of at least ⟪3..12⟫, as a join with the names.
4 List ⟪members|guests⟫ that never ⟪borrowed a ladder|came in winter⟫, with the date of their last visit, NULL shown
    as 'never'.
4 Share of late returns per town and month, zero months included.
4 Sum per ⟪site|town⟫ with a column for each ⟪quarter|year since 2021⟫ and a total, no pivot keyword.
5 The top ⟪two|three⟫ of each group by total, ties kept, and their share of the group's sum.
5 Running total per ⟪member|sensor⟫, restarted every year, and the first date on which it passes ⟪100..900⟫.
5 For each row, the difference to the previous row of the same ⟪sensor|guest⟫, but ignoring rows that were corrected
    later the same day.
6 Find gaps of over ⟪20|45⟫ minutes per sensor and the longest unbroken stretch, both in one statement.
6 Sessions: a new one after ⟪30|40⟫ idle minutes. Median length per region, last ⟪6|12⟫ full weeks, with weeks of none.
6 Pairs of ⟪members|guests⟫ whose stays overlap at least ⟪three|four⟫ times, counted once, longest common stretch.
7 Recursive: costs of every assembly through all levels, cycles detected, parts with several suppliers priced at the
    cheapest valid on the day.
7 Cohort retention by joining month over ⟪6|12⟫ months, pauses bridged up to ⟪20|40⟫ days, as a triangle, without
    self-join on the big table.
7 As-of join of prices onto trades with late corrections: bitemporal, what we knew on a given evening.
8 Rooms may be swapped within a stay: rebuild occupancy per night from an event log with cancellations out of order,
    allocate revenue by rate and beds, reconcile with payments, name each unexplained cent. One query, ⟪90|200⟫ million
    rows, under a minute: plan and indexes too.
8 Rewrite this correlated, triple-nested NOT EXISTS with window-only logic, prove both equal including NULLs, and
    estimate both plans.
8 Shortest transfer chains between any two accounts within ⟪72|48⟫ h, decreasing amounts, no reused transfer, scored;
    in plain SQL, pruned so that it ends.
1 how many rows does the table ⟪loans|stays|readings⟫ have
1 Delete the row with id ⟪3..900⟫.
1 names only, no duplicates
2 Latest ⟪date|entry⟫ per ⟪kind|site|room⟫, just the date.
2 Rows from ⟪March|July|last week⟫ where the note is empty.
3 Two tables, one list: everybody with their number of entries, those with none as well.
3 Raise every price of one kind by ⟪3..9⟫% unless it was changed this year.
4 Second highest value per group without LIMIT, ties count as one.
4 Upsert from a staging table, counting inserted, changed and untouched rows.
5 Median and 90th percentile per month next to those of the year before.
5 Week over week change per site, holidays skipped, only sites with a full ⟪eight|twelve⟫ weeks.
6 Merge overlapping intervals per owner, then the free stretches in between within opening hours.
6 Basket pairs bought together more than chance would give, with lift, once per pair, no cross join of everything.
7 FIFO cost of stock with returns to the original batch, set-based.
7 Point-in-time org chart: headcount below each manager for every month end, matrix reports counted half.
8 Bin-pack orders into vans under two limits with recursive SQL, optimal for up to ⟪12|15⟫ orders, and prove that the
    pruning is safe.
8 Detect write skew after the fact from a history table, list the minimal cycles.
""",
    "sql zh": r"""
d 表：members(id, name, town, joined)，loans(id, member_id, tool_id, taken, returned)，tools(id, label, kind, price)
d 表：guests(id, name, country)，stays(id, guest_id, room_id, arrival, departure)，rooms(id, floor, rate)
f 数据库是⟪PostgreSQL|MySQL 8|SQLite⟫
f 数据大概有⟪2..9⟫万行
f 我只有只读权限
1 查询价格大于⟪10..90⟫的所有记录。
2 按类型统计行数，从多到少排序。
3 列出⟪2021..2024⟫年借用超过⟪2..9⟫次的人的姓名。
4 找出从没在冬天来过的客人，并显示最后一次日期，没有则写“无”。
5 每组按总额取前⟪二|三⟫名，并列保留，同时给出占本组的比例。
6 按⟪30|40⟫分钟无操作划分会话，求每个地区最近12周的会话时长中位数，空的周也要列出。
7 递归计算多层装配成本，检测环，多个供应商取当日有效最低价。
8 由乱序且含撤销的事件日志重建每晚入住，分摊收入，与付款对账，一条语句，⟪九千万|两亿⟫行一分钟内，给出执行计划和索引。
""",
    "trace en": r"""
w What does this print?\n\n```⟪python|py⟫\n{}\n```
w {}\n\nOutput?
w Go through this by hand and tell me the last line it writes:\n{}
w I don't have a computer here. What comes out?\n\n{}
w predict the output: \n{}
f It is from an old exam of a ⟪night school|summer camp⟫
f My brother says it crashes, I say it doesn't
f Only the output matters to me
f The names mean nothing, I changed them
f There is a coffee stain on the printout
""",
    "trace zh": r"""
w 下面的程序输出什么？\n{}
w {}\n请写出输出。
f 这是一道旧试题
""",
    "trace de": r"""
w Was gibt das aus?\n{}
""",
    "trace es": r"""
w ¿Qué imprime esto?\n{}
""",
    "trace fr": r"""
w Qu'affiche ce code ?\n{}
""",
    "trace ja": r"""
w 何が表示されますか？\n{}
""",
    "trace ru": r"""
w Что выведет программа?\n{}
""",
    "trace hi": r"""
w यह क्या छापेगा?\n{}
""",
    "algebra en": r"""
v {}
v {}
v Solve: {}
v Work this out: {}
v {} please show the way
v My homework says\n{}\nand I'm stuck.
v What comes out here?\n{}
v answer for {} ?
f It is question ⟪2..19⟫ on the sheet
f The others on the page were fine
f Our teacher likes ⟪green|red⟫ ink and long breaks
f I have an old calculator but the battery is gone
f ⟪name⟫ got a different result and we can't both be right
1 Simplify ⟪2..9⟫a + ⟪2..9⟫a.
1 ⟪5..50⟫% of ⟪40..600⟫
2 Expand (x + ⟪2..9⟫)(x - ⟪2..9⟫).
3 Factor x^2 + ⟪7|8|9⟫x + 12 if it can be done over the integers.
4 For which x is |x - ⟪2..9⟫| + |x + ⟪2..9⟫| < ⟪20..40⟫?
5 x + 1/x = ⟪3..7⟫. Find x^3 + 1/x^3 and x^5 + 1/x^5.
6 Find all real a for which x^2 + ax + ⟪2..9⟫ and x^2 + ⟪2..9⟫x + a share a root.
6 sqrt(x + sqrt(x + ⟪3..20⟫)) = ⟪2..5⟫x^(1/2): real solutions?
7 f(x + y) = f(x) + f(y) + ⟪2..6⟫xy on the reals, f differentiable at 0 with f'(0) = ⟪1..5⟫. Find f.
7 All integers with x^2 + y^2 + z^2 = ⟪2..4⟫xyz.
8 Find all f: R -> R with f(x f(y) + y) = y f(x) + f(y)^2 / ⟪2..5⟫.
8 Eliminate s, t from x = s + t, y = s^2 + t^3, z = st and say which real points of the surface are missed.
8 a, b, c > 0, abc = 1: the best k with sum 1/(a^2 + k) <= 3/(1 + k)?
w {}
w {}
w {} Please show the way.
w homework: {}
-- formula
""",
    "algebra zh": r"""
v {}
v 解：{}
v 计算并写出过程：{}
f 这是作业第⟪2..12⟫题
f 我和同桌的答案不一样
1 ⟪40..600⟫的⟪10|20|25⟫%是多少？
5 已知x+1/x=⟪3..6⟫，求x^3+1/x^3与x^5+1/x^5。
6 若x^2+ax+⟪2..6⟫与x^2+⟪2..6⟫x+a有公共根，求所有实数a。
7 求所有整数解：x^2+y^2+z^2=⟪2|3⟫xyz。
8 求所有函数f，使f(xf(y)+y)=yf(x)+f(y)^2/⟪2..4⟫。
-- formula
""",
    "algebra es": r"""
v {}
v Resuelve: {}
f Es el ejercicio ⟪2..12⟫ de la hoja
-- formula
""",
    "algebra de": r"""
v {}
v Löse: {}
f Das ist Aufgabe ⟪2..12⟫ auf dem Blatt
-- formula
""",
    "algebra fr": r"""
v {}
v Résous : {}
f C'est l'exercice ⟪2..12⟫ de la feuille
-- formula
""",
    "algebra ja": r"""
v {}
v 次を解いて：{}
f プリントの⟪2..12⟫番です
-- formula
""",
    "algebra ru": r"""
v {}
v Реши: {}
f Это номер ⟪2..12⟫ из листка
-- formula
""",
    "algebra hi": r"""
v {}
v हल कीजिए: {}
f यह पन्ने का प्रश्न ⟪2..12⟫ है
-- formula
""",
    "proof en": r"""
w {}
w {}
w Please help with this one. {}
w {} I want every step justified.
w From my notes: {}
w hi, {}
f It comes from a handout with a drawing of a ⟪snail|castle|kite⟫ on top
f I read it on the train and it stayed with me
f The lecturer ⟪coughed|laughed|drew a hat⟫ at this point
f My study group meets on ⟪Tuesday|Thursday⟫
f I had maths as a minor, years ago
f There's a coffee prize for the nicest answer
1 Check that n^2 + n is even for n = ⟪3..40⟫.
1 Show by calculating that ⟪3|5⟫, 4 and 5 ⟪do|do or do not⟫ form a right triangle.
1 Verify the formula 1 + 2 + ... + n = n(n+1)/2 for n = ⟪4..12⟫.
1 Is ⟪51|57|61|91|97⟫ prime? Give the check.
2 Show that the sum of two ⟪odd|even⟫ numbers is even.
2 Prove that ⟪a multiple of 6 is a multiple of 3|the square of an even number is divisible by 4⟫.
2 Give a counterexample: ⟪every prime is odd|n^2 + n + 41 is always prime|all rectangles are squares⟫.
3 Prove by induction that ⟪2^n > n|1 + 3 + ... + (2n-1) = n^2|3 divides n^3 - n⟫ for all n ≥ 1.
3 Prove that sqrt(⟪2|3|5|7⟫) is irrational.
3 Show that the composition of two injective maps is injective.
4 There are infinitely many primes ⟪of the form 4k+3|of the form 6k+5⟫. Prove it.
4 Show that among ⟪i=five|ten|n⟫ integers some nonempty subset has a sum divisible by ⟪i⟫.
4 Prove the AM-GM inequality for ⟪three|four⟫ numbers and say when equality holds.
4 Show that a continuous f: [0,1] -> [0,1] has a fixed point.
5 Prove that every finite group of prime-squared order is abelian.
5 Show that a compact Hausdorff space is normal.
5 Prove the Cantor-Bernstein theorem.
5 Every tournament has a Hamiltonian path, and a strongly connected one a cycle through every vertex. Prove both.
5 Prove Wilson's theorem and its converse.
6 Prove quadratic reciprocity.
6 Prove Hall's marriage theorem and deduce König's.
6 Show that the p-adic integers are compact, from the definition.
6 Prove Sylow's theorems and that no group of order ⟪30|56|105⟫ is simple.
6 e is transcendental. Prove it.
7 Prove the Banach-Tarski decomposition of the sphere.
7 Prove Dirichlet's theorem on primes in progressions.
7 Prove the spectral theorem for unbounded self-adjoint operators.
7 Prove Szemerédi's regularity lemma and bound the parts.
7 Show that no quintic formula exists, from field theory up.
7 Prove Gödel's first incompleteness theorem with Rosser's trick.
8 Prove the prime number theorem without complex analysis.
8 Prove the Green-Tao theorem, given a relative Szemerédi theorem.
8 Prove the Atiyah-Singer index theorem for Dirac operators.
8 Prove the independence of the continuum hypothesis.
8 Prove Mostow rigidity for n ≥ 3.
8 Prove resolution of singularities in characteristic zero for surfaces, then say what fails in characteristic p.
8 Are there infinitely many n with n and n^2 + 1 both squarefree in a Beatty sequence of slope sqrt(⟪2|3|5⟫)? Prove
    with an error term.
1 Compute both sides of (a+b)^2 = a^2 + 2ab + b^2 for a = ⟪2..9⟫, b = ⟪3..12⟫ and compare.
1 Does ⟪14..90⟫ divide ⟪200..900⟫? Write the division out.
2 Why is the product of three consecutive numbers divisible by ⟪2|3|6⟫?
2 If a divides b and b divides c, then a divides c. Show it.
2 Show that a triangle can't have two right angles.
3 For sets A, B: show that A is in B exactly if the union of both is B.
3 Show that the ⟪harmonic series diverges|square root function is not Lipschitz on [0,1]⟫.
3 Any two vertices of a tree are joined by one path only. Why?
4 A graph with n vertices and more than n^2/4 edges contains a triangle. Prove this.
4 Prove that the reals can't be listed, and that the algebraic numbers can.
5 Every bounded sequence in R^n has a convergent subsequence; which step fails in l^2? Prove both.
5 Prove that Z[sqrt(-⟪1|2⟫)] is a unique factorisation domain and Z[sqrt(-5)] isn't.
5 Prove Sperner's theorem on antichains.
6 Brouwer in dimension two, from Sperner's lemma.
6 Prove that pi is irrational.
6 Every number field's class group is finite. Prove it.
6 Prove Kuratowski's theorem on planar graphs.
7 Prove the Riemann mapping theorem.
7 Prove Roth's theorem on progressions of length three.
7 Prove the uniformization theorem for compact surfaces.
7 Show that first-order arithmetic does not prove Goodstein's theorem.
8 Prove Freiman's theorem.
8 Prove the Nash embedding theorem.
8 Prove Deligne's bound for exponential sums in the case you find least painful.
8 Prove MIP = NEXP.
8 Prove Margulis superrigidity for SL(3, Z).
""",
    "proof zh": r"""
w {}
w 请写出完整过程。{}
w 有一道题想请教：{}
f 这是讲义上的一题
f 小组周四要讨论
f 我在火车上看到的
1 验证n=⟪3..20⟫时n^2+n是偶数。
1 判断⟪51|57|61|91⟫是不是质数，并说明。
2 证明两个⟪奇数|偶数⟫之和是偶数。
3 用数学归纳法证明⟪1+3+...+(2n-1)=n^2|3整除n^3-n⟫。
3 证明根号⟪2|3|5⟫是无理数。
4 证明形如4k+3的质数有无穷多个。
4 证明区间[0,1]到自身的连续函数有不动点。
5 证明质数平方阶群是交换群。
5 证明康托尔-伯恩斯坦定理。
6 证明二次互反律。
6 证明e是超越数。
7 证明狄利克雷算术级数素数定理。
7 证明哥德尔第一不完备定理。
8 不用复分析证明素数定理。
8 证明连续统假设独立于ZFC。
8 证明莫斯托刚性定理。
""",
    "chance en": r"""
w {}
w {}
w Quick maths question. {}
w {} As a fraction, please.
w for a board game I'm making: {}
f We were playing cards at ⟪name⟫'s place when it came up
f The dice are ⟪blue|ivory|wooden⟫ and a bit worn, but fair
f I bet ⟪two|five⟫ biscuits on it
f I have never been good at counting things
f The game box is from ⟪1961..1998⟫
1 A die is rolled. Probability of a ⟪3|5|6⟫?
1 I pull one sock from a drawer with ⟪3..9⟫ red and ⟪3..9⟫ black ones. Chance of red?
1 How many ways are there to pick one of ⟪3..9⟫ soups and nothing else?
2 Two coins: chance of ⟪two heads|exactly one head⟫?
2 How many outfits from ⟪3..9⟫ shirts and ⟪3..9⟫ trousers, if one shirt is in the wash?
3 Three dice: chance that they all differ?
3 In how many orders can the letters of ⟪BANANA|PEPPER|LEVEL⟫ stand?
3 ⟪8..12⟫ people, a team of ⟪3|4⟫ with a captain: how many choices?
4 A test is right in ⟪90|95|98⟫% of the sick and ⟪92|96⟫% of the healthy; ⟪1|2|4⟫% are sick. Positive: how likely is
    illness?
4 Seat ⟪6|7|8⟫ people round a table so that two given ones are apart. Count.
4 Ways to pay ⟪40|50|70⟫ cents with coins of 5, 10 and 20?
5 Expected throws until both a ⟪five|two⟫ and a six have appeared?
5 Strings of length ⟪8..14⟫ over a, b, c without 'aa' and with an even number of b's. How many?
5 ⟪5|6|7⟫ letters, ⟪5|6|7⟫ envelopes: chance that exactly one is right, and the limit.
6 Gambler with ⟪3..9⟫ coins, p = 0.⟪45|48|55⟫, stops at 0 or 20: ruin chance and expected length given ruin.
6 Colour the faces of ⟪a cube|a tetrahedron|an octahedron⟫ with ⟪3|4⟫ colours up to rotation, neighbours different.
6 Broken stick, ⟪three|four⟫ pieces: chance of a polygon, and of an acute one if three.
6 Random walk on the edges of ⟪a cube|an octahedron⟫ from a corner: expected time to visit every corner.
7 Longest run of heads in n tosses: limit law, centring, why no ordinary limit exists.
7 Count labelled trees on n vertices in which vertex 1 has degree ⟪2|3⟫ and no path is longer than ⟪4|5⟫.
7 Optimal stopping: n offers, one recall allowed, cost c each. Policy and asymptotics.
7 Expected number of real roots of a random cubic with normal coefficients, exactly.
8 Largest component of G(n, 1/n + t n^(-4/3)): scaling limit with proof sketch.
8 Self-avoiding walks on the honeycomb lattice: derive the connective constant.
8 Mixing time of the ⟪riffle|random transposition⟫ shuffle with cutoff, both bounds.
8 Longest increasing subsequence of a random permutation: variance and limit law.
1 One card from a full deck: chance of a ⟪heart|king|queen|red card⟫?
1 A bag has ⟪3..9⟫ tokens, one of them gold. I take one. Odds?
2 How many three-digit codes are there if no digit repeats?
2 Draw ⟪2⟫ from ⟪4..8⟫ green and ⟪3..7⟫ white balls, without putting back. Both green?
3 Poker deck, five cards: chance of exactly ⟪two|three⟫ hearts?
3 Paths from one corner of a ⟪4|5⟫ by ⟪6|7⟫ grid to the other, right and up only?
4 Of ⟪20..30⟫ people, chance that two share a birthday, and from how many on does it exceed ⟪60|90⟫%?
4 Best of ⟪five|seven⟫, p = 0.⟪55|6|65⟫ a game: who wins, and how long does it take on average?
5 How many ⟪6|7|8⟫-digit numbers have digits that never fall, and how many of these are divisible by 4?
5 Coupons: ⟪6|8⟫ kinds, one of them half as common. Expected number to get all?
6 Count domino tilings of a ⟪3|4⟫ by 2n strip and give the growth rate.
6 Two players alternate; each needs the pattern of the other not to come first: HTH against HHT. Chance and fair stake?
7 Ballot problem with ties allowed and a third candidate whose votes are removed at random: derive the chance.
7 Number of spanning trees of the ⟪n-cube|complete bipartite graph⟫, two proofs.
8 Critical percolation on the triangular lattice: crossing probabilities, derive the formula.
8 Small-ball probability of Brownian motion in sup norm, sharp constant, and of the integrated one.
""",
    "chance zh": r"""
w {}
w 求解：{}
f 打牌时想到的问题
f 骰子是均匀的
1 掷一枚骰子，出现⟪3|5|6⟫的概率是多少？
2 两枚硬币，⟪都是正面|恰好一正一反⟫的概率？
3 从⟪8..12⟫人中选3人组队并定一名队长，有多少种选法？
4 某检测对患者⟪90|95⟫%阳性，对健康人⟪5|8⟫%阳性，患病率2%，阳性者患病的概率？
5 掷骰子直到五点和六点都出现过，期望次数？
6 用⟪3|4⟫种颜色涂正方体各面，旋转相同算一种，且相对的面不同色，共几种？
7 最长连续正面的极限分布是什么，为什么没有普通极限？
8 求随机排列最长上升子序列的方差和极限分布。
1 袋中有⟪3..9⟫个球，其中一个是金色，摸到金球的概率？
2 数字不重复的三位密码有多少个？
3 ⟪4|5⟫乘⟪6|7⟫的方格，只能向右向上，有多少条路径？
4 ⟪20..30⟫人中有两人同一天生日的概率？从多少人起超过九成？
5 数字从不下降的七位数有多少个，其中能被4整除的有多少个？
6 两人轮流掷币，一个等正反正，一个等正正反，先后概率和公平赌注是多少？
7 求完全二部图的生成树个数，给出两种证明。
8 三角格上临界渗流的穿越概率，推导公式。
""",
    "physics en": r"""
w {}
w {}
w Could you help me? {}
w {} Show the formula first.
w homework: {}
f The cart is painted ⟪red|yellow⟫ and called ⟪Betty|Rocket⟫
f The lab was cold and smelled of ⟪glue|oranges⟫
f Ignore the wind, it was a calm ⟪Tuesday|Sunday⟫
f Our teacher drove an old tram before
f My partner wrote the values on her hand
1 ⟪name⟫ cycles ⟪20..90⟫ km in ⟪2..5⟫ hours. Average speed?
1 Weight of ⟪2..60⟫ kg on Earth in newtons?
1 Voltage across ⟪4..90⟫ ohm at ⟪2..9⟫ amperes?
2 A stone falls for ⟪2..6⟫ s. How fast is it, and how deep is the well?
2 Heat to warm ⟪2..9⟫ kg of water by ⟪10..60⟫ degrees, in kWh?
3 A ⟪900..1600⟫ kg car brakes from ⟪50|80|100⟫ km/h to a stop in ⟪30..80⟫ m. Force, and time?
3 Two resistors, ⟪20..90⟫ and ⟪20..90⟫ ohm, in parallel, then 10 ohm in series on ⟪6|9|12⟫ V: current in each?
4 A block slides down ⟪2..6⟫ m of a ⟪20..40⟫ degree slope with friction 0.⟪1..3⟫, then hits a spring of ⟪200..900⟫
    N/m. Compression, mass ⟪2..5⟫ kg?
4 Ice of ⟪50..200⟫ g at -⟪5..20⟫ °C goes into ⟪200..600⟫ g of tea at ⟪60..90⟫ °C. Final state?
5 Loop-the-loop, radius r, solid ball rolling without slipping: lowest start height, and the force at the bottom then.
5 A rod on two moving wheels that spin inwards: find the period of its oscillation.
5 Which thrown angle makes the arc of the path longest?
6 Two coupled pendulums, unequal masses, a weak spring: normal modes and beat time, and what survives weak damping.
6 A chain slides off a table with a hole, and one that is heaped by the hole: show that the two differ and find both
    accelerations.
6 Charged sphere spinning on a hinged thread in a slowly growing field: drift of the cone angle.
7 Tippe top: derive why it turns over, and the condition.
7 Derive the Chandrasekhar limit with the relativistic gas, including the constant.
7 Kapitza pendulum with a tilted drive: stable angles to second order.
8 Derive the Kosterlitz-Thouless transition from the vortex gas, with the flow equations.
8 Hawking temperature from the collapse itself, not from the eternal hole, and what a moving mirror shows.
8 Anomalous magnetic moment of the electron to first order, by hand.
1 Density of a ⟪120..900⟫ g stone of ⟪40..300⟫ cubic cm?
1 How long does sound need for ⟪1..9⟫ km, at 340 m/s?
2 A ⟪40..90⟫ W lamp burns ⟪3..9⟫ hours a day. Cost per ⟪30⟫ days at 0.⟪21..39⟫ per kWh?
2 A lift of ⟪300..900⟫ kg rises ⟪6..40⟫ m in ⟪10..40⟫ s. Power?
3 Ball thrown at ⟪12..30⟫ m/s under ⟪30|45|60⟫ degrees: range and highest point.
3 Lens of ⟪10..30⟫ cm focal length, object at ⟪35..80⟫ cm: where is the image, how large, which way up?
4 Two carts, ⟪2..5⟫ and ⟪3..7⟫ kg, stick together at right angles and slide on, friction 0.⟪1..4⟫. Where do they stop?
4 Diesel cycle, compression ⟪14..20⟫, cut-off 2: efficiency, starting at ⟪290..310⟫ K.
5 Ladder against a wall slides without friction: at which angle does it leave the wall?
5 Inductor, capacitor and two resistors, switch opened at the peak of the current: voltage over time, and when is it
    critically damped?
6 Sphere with an off-centre cavity, charged, floating in oil: period of small rolls.
6 Orbit transfer between ellipses with tilted planes: cheapest two burns, and when three are cheaper.
7 Rayleigh-Bénard: onset with one rigid and one free wall.
7 Derive the Lamb shift estimate by Bethe's argument and say what the cut-off hides.
8 Derive the beta function of Yang-Mills to one loop in background gauge.
8 BCS gap with retardation: from Eliashberg's equations to McMillan's formula, each approximation named.
""",
    "physics zh": r"""
w {}
w 请写出公式和过程。{}
f 实验室那天很冷
f 不计空气阻力
1 骑车⟪2..5⟫小时走了⟪20..90⟫千米，平均速度多少？
2 石头下落⟪2..6⟫秒，末速度和井深各是多少？
3 质量⟪900..1600⟫千克的汽车以80千米每小时行驶，⟪30..80⟫米内刹住，求制动力和时间。
4 ⟪50..200⟫克零下十度的冰放入⟪300..600⟫克八十度的茶中，求末态。
5 实心球无滑滚下并通过半径r的竖直圆环，求最低释放高度及最低点的支持力。
6 两个质量不等的摆用弱弹簧相连，求简正模、拍的周期以及弱阻尼的影响。
7 推导钱德拉塞卡极限，包括常数。
8 由涡旋气体推导KT相变及其流方程。
1 声音走⟪1..9⟫千米要多久（每秒340米）？
2 ⟪40..90⟫瓦的灯每天亮⟪3..9⟫小时，每度0.6元，三十天电费多少？
3 以⟪12..30⟫米每秒、仰角⟪30|45|60⟫度抛球，求射程和最高点。
4 两小车质量⟪2..5⟫和⟪3..7⟫千克，垂直相撞后粘在一起滑行，摩擦系数0.⟪2..4⟫，停在哪里？
5 梯子沿光滑墙面滑下，何时离开墙面？
6 共面不同倾角椭圆轨道之间最省燃料的两次点火方案，何时三次更省？
7 一面刚性一面自由边界的对流临界条件，请推导。
8 在背景场规范下推导杨-米尔斯理论的单圈beta函数。
""",
    "writing en": r"""
f It's for the ⟪newsletter|noticeboard|anniversary⟫ of our ⟪allotment club|village hall|rowing team⟫
f My grandmother used to write these by hand, in violet ink
f There will be ⟪tea|cake|lanterns⟫ afterwards
f I've tried twice and threw both away
f Take whatever tone you like otherwise
f We had a wonderful ⟪autumn|spring⟫ here, if that inspires you
f ⟪name⟫ will read it out, in a cardigan most likely
f I can change names later
f The hall holds ⟪40..120⟫ people and an old piano
1 A haiku about ⟪rain|a kettle|moss|the last bus|plums⟫.
1 write a birthday line for ⟪name⟫
1 Headline for a ⟪lost glove|flea market|new bench⟫ notice
2 Short thank-you note to ⟪a neighbour who watered the plants|my old teacher|the night nurse⟫.
2 Rewrite more politely: 'send me the ⟪keys|file|money⟫ now'
2 Four rhyming lines about ⟪a snail|Monday|the sea⟫.
3 A ⟪120|150|200⟫-word scene in a ⟪laundrette|lighthouse|waiting room⟫ with two voices and no description.
6 A villanelle on ⟪tide tables|a closed factory|the moon's far side⟫, iambic, both refrains shifting in meaning.
6 A sonnet whose first letters spell ⟪MIDNIGHT LETTER|QUIETER HARBOUR⟫ and whose turn comes in line nine.
7 A sestina, envoi with all six end words, about ⟪inheritance|salt|maps⟫, plain diction, one lie told twice.
7 One story, readable forwards and backwards by paragraph, both endings true.
8 A double acrostic in blank verse, no letter ⟪z|q⟫, each stanza a syllable shorter, argument for and against
    ⟪exile|silence⟫.
8 Palindrome poem by line, each pass a different speaker, clues planted for a murder solved only on the second pass.
-- 1
o Write a short story about ⟪a ferryman|two clockmakers|a lost dog|a night in a library⟫.
o Write an essay on ⟪boredom|repairing things|public gardens|the use of old maps⟫.
o Compose a speech for ⟪a retirement|the opening of a bridge|a school reunion⟫.
o Please write an email to ⟪the housing office|a supplier who is late|all volunteers⟫.
o I'd like a poem about ⟪winter markets|my father's coat|rails⟫.
p It has exactly ⟪three|four|five|six⟫ paragraphs
p The letter '⟪z|x|k⟫' never occurs
p Each paragraph starts with the word that ended the one before
p The first sentence is a question and the last one answers it wrongly
p A ⟪blue umbrella|brass key|pear⟫ appears three times, and each time it means something else
p Keep it in the second person and the present tense
p No sentence is longer than ⟪nine|twelve⟫ words
p The first letters of the paragraphs spell a ⟪bird|river|month⟫
p Two readers should take opposite sides after it, both with reason
p Include a number that turns out to be false
p Somebody is thanked without being named
p It works read aloud in under ⟪two|three⟫ minutes
p The tone moves from comic to grave without a break that one could point at
""",
    "writing zh": r"""
f 是给社区报纸用的
f 我试着写了两次都不满意
f 到时候会有茶点
1 写一句给⟪name⟫的生日祝福。
1 以“⟪雨|茶壶|青苔⟫”为题写一首俳句式的短诗。
2 把“快把⟪钥匙|文件⟫给我”改得客气一些。
3 写一段⟪150|200⟫字的⟪灯塔|候车室⟫场景，只有对话，没有描写。
7 写一首七律，藏头为“⟪山高水长风清月白|春去秋来花落人归⟫”，颔联颈联用典且对仗工整。
8 写一篇正读反读都成立的故事，两种读法叙述者不同，凶手的线索只有第二遍才看得出。
-- 1
o 写一篇短篇小说，主角是⟪摆渡人|钟表匠|图书管理员⟫。
o 请写一篇关于⟪无聊|修补旧物|老地图⟫的议论文。
o 帮我写一篇⟪退休|校友聚会|大桥通车⟫致辞。
p 正好⟪三|四|五⟫段
p 全文不出现“⟪的|是|了⟫”字
p 每段开头的词是上一段结尾的词
p 第一句是疑问句，最后一句给出错误的回答
p 一把⟪蓝伞|铜钥匙⟫出现三次，每次含义不同
p 用第二人称和现在时
p 每句不超过十二个字
p 各段首字连起来是一条河的名字
p 读完以后两个人会各执一词，而且都有道理
""",
    "analysis en": r"""
f I sit on a small committee that meets in a room above a ⟪pharmacy|gym⟫
f Nobody has written anything down yet
f The question came up after a long lunch
f The local paper ran a piece with a photo of a ⟪heron|roundabout⟫
f I am new in this job and like to read
f The meeting is on ⟪Thursday|Monday⟫ and there will be biscuits
f My predecessor left a box with ⟪three|nine⟫ folders and a plant
1 What is ⟪a carbon tax|gross margin|informed consent|zoning|a tariff|brand loyalty⟫?
1 Define ⟪market share|stakeholder|conflict of interest|sunk cost⟫ in a line.
2 List some advantages of ⟪remote work|bike lanes|a four-day week|school uniforms⟫.
2 Why might a firm ⟪rent rather than buy|hire an auditor|open on Sundays⟫?
3 Pros and cons of ⟪rent caps|free museum entry|loyalty cards|a sugar tax⟫?
3 Is it fair to ⟪charge tourists more|pay by seniority|ban phones at school⟫? One argument each way.
4 Should a ⟪bakery|law firm|clinic⟫ take on a second site or longer hours? Compare and recommend.
4 Who gains and who loses from ⟪a congestion charge|a plastic bag ban|a minimum price for alcohol⟫?
5 Rent control failed in some cities and held in others. What explains it?
5 Our churn fell while complaints rose. Give rival explanations and the data that tells them apart.
6 Price road use per km in a city of ⟪two|five⟫ million: incidence, evasion, privacy, transit. Judge.
6 Duty to ⟪future people|animals|strangers⟫ against promises to the living: where does each major theory break on a
    dam that drowns a valley?
6 Sell, spin off or starve a unit with ⟪3|5⟫% growth, 60% of cash and all of the lawsuits?
7 Allocate ⟪200|400⟫ ICU beds among three provinces under uncertainty of the wave, unequal past investment, legal
    equality, strike threat. Defend the rule against each loser.
7 A central bank with two mandates, a banking scare, an election and a supply shock: the next three moves, and what
    would reverse each.
8 Design water rights for a river shared by three states, fish, farms, a treaty and a drying climate so that no
    coalition wants to leave; prove what you can, price what you can't.
8 Should frontier AI labs be licensed? Game out entrants, open weights, captured regulators, rivals abroad, and errors
    of both kinds, then commit.
1 What does ⟪cash flow|due process|a quorum|a cartel|arbitration⟫ mean?
1 Who counts as a ⟪shareholder|creditor|constituent⟫?
2 Name two drawbacks of ⟪open offices|payday loans|zero-hour contracts⟫.
2 What do towns spend ⟪property tax|parking fees⟫ on?
3 Compare ⟪leasing and buying a van|a flat fee and commission|voting by post and in person⟫ for a small firm or town.
3 Name the main risks of ⟪one big customer|a family business|a public-private bridge⟫ and one remedy for each.
4 A library can extend its hours or its stock. Which, if loans fall but visits rise?
4 Our price is ⟪8|15⟫% above the rival's and we lose only the small clients. Cut, segment or wait?
5 Rank the causes of teacher shortages and say which cheap measure would backfire.
5 Is a wealth tax better collected at death? Consider evasion, fairness, timing.
6 Two regulators, one bank, opposite orders, depositors abroad. Which order first, and why does the other regulator
    accept it?
6 Vaccinate spreaders or the frail first if the share of blocked infections is only known to lie between ⟪20|30⟫ and
    ⟪60|80⟫%?
7 Coal town, one employer, ageing voters, EU fund with deadlines, two unions, a buyer with a record: a sequence that
    nobody can veto at a profit.
7 Pay ransom for the hospital's data? Law forbids it, backups are half, patients wait, others watch.
8 Write the fiscal rule that survives its own first crisis: bind, yet bend, with no court able to run the budget.
    Prove it against three histories.
8 Partition an aquifer, a debt and a diaspora in a peaceful secession; stable under renegotiation.
-- 2
o Should our ⟪city|region|island⟫ ⟪close the centre to cars|build a second harbour|merge its hospitals|cap holiday flats⟫?
o Our company is thinking of ⟪moving production abroad|a subscription model|buying its largest supplier|publishing all
    salaries⟫. What should it do?
o Is it right to ⟪pay people for donated kidneys|rank schools in public|let an algorithm set bail|test drugs on
    prisoners who volunteer⟫?
p Take the interests of ⟪pensioners|small traders|night workers|tenants|minorities⟫ into account separately from the average
p The budget is fixed at ⟪4..40⟫ million and may not be exceeded in any single year
p Estimate second-order effects, not only the first reaction
p Say which evidence would change your mind
p The law forbids unequal treatment, and a court case on it is pending
p Give the strongest case against your own answer and meet it
p Two of the experts contradict each other on the key number
p The decision can be undone only once, and at a cost
p A rival will react within ⟪six|nine⟫ months in the way that hurts most
p It must hold for a government of either colour
p Separate what is uncertain from what is disputed for moral reasons
p The gains come in ⟪ten|fifteen⟫ years and the costs this spring
""",
    "analysis zh": r"""
f 我刚接手这份工作
f 会议在周四，还没有人写过材料
f 本地报纸刚登过一篇报道
1 什么是⟪碳税|毛利率|知情同意|关税⟫？
2 列举⟪远程办公|自行车道|四天工作制⟫的几个好处。
3 ⟪租金上限|博物馆免费|糖税⟫有哪些利弊？
4 ⟪拥堵费|限塑令|最低酒价⟫让谁得利、谁受损？
5 为什么租金管制在一些城市失败而在另一些城市维持下来？
6 ⟪两|五⟫百万人口的城市按公里收道路费：负担、逃避、隐私、公交，作出判断。
7 三省争⟪二百|四百⟫张重症床位，疫情走势不明，历史投入不均，法律要求平等，如何分配，并向每个吃亏者辩护。
8 为三国共有、日渐干涸的河设计水权，使任何联盟都不愿退出，能证明的证明，不能的估价。
1 “⟪现金流|法定人数|卡特尔⟫”是什么意思？
2 说出⟪开放式办公室|零工合同⟫的两个缺点。
3 小公司⟪租车还是买车|固定工资还是提成⟫更好？比较一下。
4 我们的价格比对手高⟪8|15⟫%，只丢了小客户，该降价、分层还是等待？
5 按重要性排列教师短缺的原因，并指出哪种便宜的办法会适得其反。
6 先给传播者还是体弱者接种，如果阻断率只知道在三成到八成之间？
7 医院数据被勒索，法律禁止付款，备份只有一半，病人在等，别家在看，怎么办？
8 写出一条能熬过第一次危机的财政规则：有约束又能弯曲，且法院管不了预算，用三段历史检验。
-- 2
o 我们⟪市|县|岛⟫应该⟪禁止汽车进入中心|合并医院|限制民宿⟫吗？
o 公司在考虑⟪把生产迁往国外|改为订阅制|公开所有工资⟫，该怎么办？
p 要分别考虑⟪退休者|小商贩|夜班工人⟫的利益
p 预算固定为⟪四百|九百⟫万，任何一年都不得超出
p 估计间接后果，而不只是最初反应
p 说明什么证据会改变你的看法
p 法律禁止差别对待，相关案件还在审理
p 给出反对自己结论的最强理由并回应
p 两位专家在关键数字上互相矛盾
p 决定只能撤回一次，而且要付代价
p 好处十年后才来，代价今年春天就要付
""",
    "chat en": r"""
f The kettle just boiled
f It's raining here and the cat has taken my chair
f I had ⟪soup|toast|leftover noodles⟫ for dinner
f ⟪name⟫ sends a wave
f I found an old bus ticket in my coat today, from ⟪1998|2007|2011⟫
f Somebody upstairs is practising the ⟪trumpet|violin⟫ again
f I walked home along the canal and counted ⟪3..14⟫ ducks
f No rush at all
f I painted the hallway ⟪yellow|mint|grey⟫ last weekend
1 ⟪hi|hello there|good morning|hey, how's it going|evening!|yo⟫
1 ⟪thanks, that helped|good night|see you tomorrow|ok cool|nice to meet you, I'm⟫ ⟪name⟫
1 I'm so ⟪tired|happy|bored⟫ today
2 What's your favourite ⟪season|smell|sandwich|word⟫?
2 Tell me something nice about ⟪Tuesdays|owls|rain⟫.
2 Tea or coffee?
3 What should I ⟪read next if I liked sea stories|cook for two on a hot night|name a grey kitten⟫?
3 Give me a few ideas for ⟪a rainy sunday|a present for a shy colleague|small talk at the dentist⟫.
4 How do I tell ⟪name⟫ that ⟪his|her⟫ ⟪singing|cooking|poetry⟫ isn't great?
4 Is it odd to ⟪turn down a wedding invitation|eat alone on my birthday|write to a friend after ten years⟫?
5 I said yes to two ⟪parties|godchildren|weddings⟫ on one day and both think they come first. What now?
6 My brother wants to sell mum's house, she can't decide any more, he cared for her, I paid. What's fair?
6 Quit a safe job for a friend's firm that owes me money already?
7 Stay with a husband who is ill and was about to leave me?
7 The clinic found I'm not my father's son; he is dying and asks no questions. Tell him, tell my sister, or keep it?
8 My son wants to testify against my brother, who raised him when I couldn't, and both ask me what is true. I know.
    What do I owe whom?
8 Do I donate to the sibling who ruined us?
1 ⟪lol|haha nice|hmm ok|brb|wow⟫
1 Happy ⟪new year|birthday|friday⟫!
2 Do you like ⟪rain|cinnamon|Mondays|trains⟫?
2 Say something kind, I need it.
3 I have an hour to kill at a ⟪station|mall|hospital café⟫, entertain me?
3 What would you name a ⟪boat|sourdough|bicycle⟫?
4 My ⟪flatmate|cousin|boss⟫ hums all day. Say something or buy earplugs?
4 Is it ok to give away a present I got from ⟪name⟫?
5 ⟪name⟫ asked me to lie for her just once, small thing, but ⟪name⟫ asks me straight. Hmm.
5 My friend pays for everything and I can tell it keeps a score. I can't afford equal, I don't want less. How?
6 Do I tell my daughter that her fiancé was married before, when he told me in confidence and means to tell her after
    the wedding?
6 Come out to my dad before the operation or after?
7 We have one embryo left, my wife is done, I'm not, and the clinic closes. Is there a way to decide that isn't one of
    us losing?
7 Go home and be safe and silent, or stay and be poor and myself? My kids would follow either.
8 I could clear a dead friend's name by ruining his widow, who did it for their son, who is mine.
8 Whom do I save the company for, if not for the ones I'd have to fire?
-- 3
o Should I take the job in ⟪@city⟫ or stay?
o I can't decide whether to ⟪leave my partner|move in with my father|give up the shop|go back to university⟫. Help me think.
o Do I ⟪forgive my sister|sell the farm|adopt the two children together|keep the baby's father in our life⟫ or not?
p My mother is ⟪71..86⟫ and falls more often, but she says she would rather die than move
p We still owe ⟪20..160⟫ thousand, and the rate changes in ⟪May|October⟫
p My daughter has just found friends after two bad years
p He was kind when I was ill, and cruel when I got well
p The offer ends on ⟪Friday|the 30th⟫ and won't come back
p I promised my late brother the opposite
p My doctor wants less stress, and being idle makes me ill as well
p Two friends whom I trust say contrary things, each from experience
p I have turned down a chance like this once and regretted it for years
p If I go, ⟪name⟫ loses work too
p I'm not sure if I want it or only want to be asked
p The kids want different things and are ⟪9..12⟫ and ⟪13..17⟫
""",
    "chat zh": r"""
f 外面在下雨，猫占了我的椅子
f 我刚泡了茶
f 楼上又有人在练小号
f 不着急回答
1 ⟪你好|早上好|在吗|晚安|谢谢你⟫
1 今天好⟪累|开心|无聊⟫啊
2 你最喜欢哪个⟪季节|味道|字⟫？
3 给我几个⟪雨天周末|送同事的小礼物⟫的点子吧。
4 怎么委婉地告诉⟪name⟫，他唱歌不好听？
5 同一天答应了两场婚礼，两边都觉得自己先说的，怎么办？
6 弟弟想卖妈妈的房子，妈妈已经糊涂，他照顾她，钱是我出的，怎样才公平？
7 医院说我不是父亲亲生的，他快不行了，也从没问过，要不要告诉他和妹妹？
8 儿子要作证指控养大他的我弟弟，两人都问我真相，而我知道。我欠谁什么？
-- 3
o 我该去⟪深圳|成都⟫工作还是留下？
o 我不知道要不要⟪离婚|搬去和父亲住|关掉小店|重新读书⟫，帮我想想。
p 母亲⟪七十一|八十二⟫岁，常常摔倒，却说死也不搬
p 房贷还欠⟪20..160⟫万，利率年底要变
p 女儿刚刚交到朋友，之前两年很难熬
p 我病的时候他很体贴，好了以后又很冷淡
p 对方周五就要答复，以后不会再有机会
p 我答应过去世的哥哥相反的事
p 医生要我少操劳，可闲着我也会生病
p 两个信得过的朋友说法完全相反
p 几年前我拒绝过一次，后悔到现在
""",
    "translation en": r"""
f It is for a ⟪cookbook|postcard|museum label|theatre programme⟫
f My aunt in ⟪@city⟫ will read it, with her new glasses
f I only had two years of it at school
f The dictionary I own is from ⟪1958..1984⟫
f The rest is already done
f Somebody will read it aloud at ⟪a dinner|the school⟫
1 How do you say '⟪lighthouse|spoon|tomorrow|thank you|hedgehog⟫' in ⟪@lang⟫?
1 '⟪bread|river|window|yellow⟫' ⟪@lang⟫ please
2 Translate into ⟪@lang⟫: 'Where is the ⟪station|pharmacy|ticket office⟫?'
2 ⟪@lang⟫ for 'two ⟪coffees|tickets|rooms⟫ with a view, please'?
3 Put this into ⟪@lang⟫: 'We arrived late because the ⟪bridge|road|tunnel⟫ was closed, but the soup was still warm.'
3 Into ⟪@lang⟫ please. 'Dear guests, the lift is out of order until ⟪Friday|noon⟫. The stairs are on the left, next to
    the yellow door. We are sorry for the trouble and there is free tea in the lobby. If you need help with your bags,
    please call the desk and somebody will come up to you within ten minutes.'
4 Translate into ⟪@lang⟫, keeping it as rude as it is polite on the surface: 'How brave of you to wear that.'
4 Find a ⟪@lang⟫ equivalent, not word for word: '⟪he let the cat out of the bag|it's raining stair rods|she has bigger
    fish to fry|don't count your chickens⟫'.
5 Translate into ⟪@lang⟫ for lawyers, with 'shall' and 'may' kept apart: 'The lessee shall keep the roof sound and
    may, failing notice, set off costs against rent that would have fallen due.'
5 Same letter twice in ⟪@lang⟫, once for my boss and once for my best friend: 'I can't come on Friday, something came
    up, I owe you one.'
6 Into ⟪@lang⟫: 'The ⟪bank|pitcher⟫ was steep, said the ⟪bank|pitcher⟫.' Both senses must live.
6 Headline pun into ⟪@lang⟫, same length, still a pun and still about bread: 'Rising to the occasion'.
6 Translate into ⟪@lang⟫ in rhyme and metre: 'The clock has hands but cannot clap, / the river runs without a map, /
    the needle's eye has never cried, / the tongue of shoes is always tied.'
7 Into ⟪@lang⟫, dialect for the fisherman, stiff official tone for the clerk, the mishearing must work: '-- Sole, sir?
    -- Soul? I sold it. -- The fish! -- That too.'
7 Malapropisms kept wrong in ⟪@lang⟫ in the same direction: 'He is the very pineapple of politeness and I will not
    extradite him.'
8 ⟪@lang⟫, heroic couplets, acrostic kept, each pun kept or replaced by one on the same theme with a note: 'Grave men,
    said the digger, come to me at last; / All my work lies ahead, and theirs lies past; / I take a plot and never need a
    twist, / Ledgers close: the heirs come to exist.'
8 A lipogram without e stays one in ⟪@lang⟫ without its commonest vowel, same joke, same clue in word three: 'A man, a
    box, no lid, and nobody to ask who is in it.'
1 What's ⟪@lang⟫ for '⟪cloud|ladder|to whistle|cheap⟫'?
1 good morning in ⟪@lang⟫
2 How would a ⟪waiter|child|policeman⟫ say 'just a moment' in ⟪@lang⟫?
3 From ⟪@lang⟫ class: 'My uncle, who sells lamps, has never been to the sea, although he lives an hour away.' Please
    translate into it.
4 'I don't mind' into ⟪@lang⟫: three situations, three shades, no dictionary phrase.
4 Make this ⟪@lang⟫ line sound like a real sign: 'It is forbidden to not leash dogs.'
5 Recipe into ⟪@lang⟫ with local measures, cuts of meat that exist there, and the grandmother's voice left in: 'A good
    knob of butter, none of your scrapings, and the shin if the butcher likes you.'
6 Nonsense verse into ⟪@lang⟫; the coined words must feel native: 'The glim was fairing on the strand, / and oversome
    the wabes did gand.'
7 Contract clause and its parody, same syntax, in ⟪@lang⟫: 'The party of the first part shall love, honour and invoice.'
7 Crossword clue into ⟪@lang⟫, still solvable: 'Flower of London? (6)'.
8 Put a sonnet's volta on a word with two senses of which ⟪@lang⟫ has one: 'I lie with you, and all I say is true.'
    Metre, both senses, and the doubt.
8 ⟪@lang⟫, sung to the old tune, vowels open on high notes, irony legible to children: 'Sleep, little tax, grow fat by
    and by.'
-- 4
o Translate into ⟪@lang⟫: 'The old harbour master kept two ledgers, one for the ships and one for the weather, and
    trusted neither. When the fog came in he would ring the bell himself, though there was a boy for it.'
o Please put the following passage into ⟪@lang⟫. 'Our pump is self-priming and must not run dry. Close the bleed valve
    before you open the gate; a hammer in the pipe is a warning, not a noise.'
o I need this in ⟪@lang⟫: 'My dear, you were right about the roof, wrong about the weather, and kind about both, which
    is more than I deserved and exactly what I expected.'
p Keep every sentence at about its length
p Use the terms of the ⟪shipping|plumbing|printing⟫ trade and list each choice
p The register is that of ⟪1890|1920⟫, without words that are younger
p Whatever is ambiguous must stay ambiguous in the same way
p Sound patterns of the last clause should be matched
p Offer two versions where the culture differs, with the loss named
""",
    "translation zh": r"""
f 是菜单上要用的
f 我姑妈会读给客人听
1 “⟪灯塔|勺子|明天⟫”用⟪英语|日语|法语⟫怎么说？
2 把“⟪车站|药店⟫在哪里？”译成⟪英语|德语|俄语⟫。
3 译成⟪英语|西班牙语⟫：因为桥封了，我们到得很晚，不过汤还是热的。
4 给“⟪画蛇添足|对牛弹琴|井底之蛙⟫”找一个⟪英语|法语⟫里意思相当而不是逐字的说法。
5 把这句话译成⟪英语|德语⟫，一份给老板，一份给好友：周五来不了，临时有事，欠你一次。
6 把“⟪外甥打灯笼——照旧|孔夫子搬家——净是输⟫”译成⟪英语|法语⟫，谐音的笑点要保留。
7 译成⟪英语|俄语⟫，格律、对仗、叠字都要保留：寻寻觅觅，冷冷清清，凄凄惨惨戚戚。
8 译成⟪英语|法语⟫，藏头、双关、文白夹杂的语气和行业术语一并保留，不能保留处加注说明得失：当铺掌柜笑曰：死当活当，都是当当。
""",
    "tools en": r"""
f I'm in the ⟪garden|car|kitchen⟫ with wet hands
f It's for ⟪name⟫, who is fine with anything
f Sorry if I mumble
f The last time it took ages
f My other phone is in a drawer
f It's nearly ⟪noon|midnight|five⟫ here
f We painted the office ⟪orange|blue⟫ by the way
1 Set a timer for ⟪3..45⟫ minutes.
1 Weather in ⟪@city⟫ now?
1 play some ⟪jazz|rain sounds|cello music⟫
1 turn off the lamp in the ⟪hall|attic|kitchen⟫
2 What time does the next ⟪bus|ferry|tram⟫ leave and will it rain by then in ⟪@city⟫?
2 Find ⟪name⟫'s number in my contacts and call it.
3 Text ⟪name⟫ that I'm late if the ⟪6|7|8⟫ o'clock ⟪train|ferry⟫ is.
3 Remind me to buy whatever is both on ⟪name⟫'s list and on sale today.
4 Book the later of the two tables unless it rains, then the indoor one, and tell ⟪name⟫.
4 Sell ⟪5|20⟫ shares if they fell more than the index this week, and mail me the receipt.
5 Find the file ⟪name⟫ meant in yesterday's call, fix the total from the sheet, send it back to whoever is owner now.
5 Move my flight behind the meeting, wherever that ends up, keep the seat if it's free, refund the old one if allowed.
6 Cheapest hotel in walking distance of all our sessions, with rooms for everyone who said yes, held until ⟪name⟫ approves.
7 Swap my shifts so that I can go, asking only people who owe me one, never leaving night cover short, then book.
8 Recall the faulty batch: trace it, warn buyers in order of risk, stop orders in transit, refund, refill, report,
    each only where the step before came through.
f I can wait a minute
f The speaker crackles a bit, maybe it's the cable, maybe the cold
f I used to have a paper list for all of this, in a green folder that a guest took home by mistake
f ⟪name⟫ laughs at me for talking to a machine
6 Whichever of my ⟪three|four⟫ cheapest unread offers still holds tomorrow: book it unless it clashes, else ask the
    sender for a new date.
7 Reconcile last month's receipts in my mail with the bank export, dispute what nobody can explain, pay the rest by
    due date without going below ⟪200..900⟫.
8 Get the whole team home: flights are cancelled, find trains, split by passport and budget, rebook hotels only where
    needed, refund the rest, tell each one, redo it if a leg falls through.
-- s
s Check the weather in ⟪@city⟫ for ⟪Saturday|Sunday⟫
s If rain is likely, look for an indoor ⟪climbing hall|museum|pool⟫ near my hotel
s See which one is open until at least ⟪18|19|20⟫:00
s Take the one with the best rating and compare its price with my budget note
s Book ⟪two|three|four⟫ tickets there if it fits, else the runner-up
s Put the booking number into my calendar with the travel time from the hotel
s Move whatever clashes and ask those people for their consent first
s Send ⟪name⟫ the final plan with the route and the receipt attached
s Set an alarm in time for the tram that gets us there
-- s
s Find the newest invoice from ⟪Norvik Paper|Halden Tools|Brightwater Foods⟫ in my mail
s Read the total and convert it into ⟪euros|yen|pounds⟫ at today's rate
s Compare it with the order in the shared folder
s Where they differ, ask for the delivery note and count the boxes on it
s Open a ticket with the difference for every line
s Pay the part that nobody disputes from the account with the higher balance
s Note the payment in the ledger under its ticket
s Remind me two working days before the rest is due, holidays considered
s When they answer, close the ticket or escalate to ⟪name⟫ with a summary
-- s
s Search the repository for tests that failed last night
s Get the commit in which the first of them began to fail
s Find out who wrote it and whether that person is on leave
s If so, take the deputy from the team page
s Open an issue with log, commit and owner
s Run the same tests on the commit before to be sure
s Revert it on a branch if they pass there
s Post the link in the channel of the team concerned
s Schedule a call in the first gap that all of them share
-- s
s Search my photos for the ⟪lake|wedding|harbour⟫ pictures of last ⟪June|August⟫
s Pick the ones that are sharp and show ⟪name⟫
s Make an album of them and name it after the place in the picture data
s Check how much space the shared drive has left
s Upload the album, smaller if it would not fit
s Create a link that expires the day after ⟪name⟫'s visit in my calendar
s Mail that link to everybody tagged in the album, each in their own language
s Delete the copies from the phone once the upload count agrees
-- s
s Find a ⟪plumber|piano tuner|bike mechanic⟫ within ⟪5|10⟫ km of my address
s Keep those with reviews above four stars
s Look in my calendar for two free mornings next week
s Ask the first of them for a slot on one of those mornings
s If the reply is no, go on to the next one on the list
s Put the agreed slot in the calendar and block the parking space for it
s Tell the neighbours by message if the water has to be off
s Afterwards compare the bill with the quote and flag anything above ten percent
-- s
s Get today's price of ⟪copper|wheat|oats|silver⟫
s Convert it to ⟪euros|francs|rupees⟫ per kilo
s Compare it with the average of the last ninety days
s If it is lower, check how much room there is in the warehouse sheet
s Work out the largest order that fits into the room and the weekly limit
s Draft the order to the supplier with the shortest delivery time in the sheet
s Ask ⟪name⟫ for approval and wait for it
s Send it, and set an alert on the price that would make us cancel
""",
    "tools zh": r"""
f 我手上都是面粉，不方便打字
f 上次等了好久
1 定一个⟪5..40⟫分钟的闹钟。
1 ⟪北京|成都⟫现在天气怎么样？
2 下一班⟪公交|渡轮⟫几点开，那时会下雨吗？
7 核对上月邮件收据和银行流水，说不清的提出异议，其余按期付款，余额不得低于⟪两|五⟫千。
-- s
s 查⟪杭州|青岛⟫周六的天气
s 如果可能下雨，就在酒店附近找室内场馆
s 看哪家开到晚上八点以后
s 取评分最高的，和我备忘录里的预算比较
s 合适就订⟪两|三⟫张票，否则订第二名
s 把订单号和路上时间写进日历
s 有冲突的安排先征求对方同意再改期
s 把最终行程和收据发给⟪name⟫
s 按电车时刻设好闹钟
""",
    "extraction zh": r"""
f 这是社区通讯里的一段
f 只看这段文字，不要用别的资料
w {}
w 阅读并回答。{}
1 市集周六⟪八|九⟫点开始，在河边举行。问：市集在哪里举行？
2 甲班种了⟪20..60⟫棵树，乙班种了⟪61..90⟫棵，丙班只浇水。哪个班种得最多，谁没有种树？
3 渡船早班七点，晚班十九点，周日没有早班；票价⟪5..9⟫元，孩子免费。周日想渡河的一家三口（一个孩子）什么时候坐船，付多少？
4 记录：三月借出⟪12..30⟫把锯，还回⟪5..11⟫把；四月通知更正：三月有两把是锤子。四月初外面还有几把锯？
5 会议纪要说屋顶由老秦修，附件说老秦与阿宝换了任务，备注说阿宝的任务推迟到屋顶之后。屋顶谁修，推迟的是什么？
6 三份通知：一、库房钥匙由值班人保管；二、周三起值班人与次日对调，周末除外；三、第二条从下周起生效。
    ~本周四和下周四钥匙各在谁手里（值班表：一甲二乙三丙四丁五戊）？
7 合同第三条租金按年涨百分之三，附件一免除首两年，补充协议把“年”改为“十八个月”，备注称附件一优先。
    ~第五年初租金依据哪几条，尚有什么无法确定？
8 五份证词互相引用时间，其中一份的表慢了⟪七|九⟫分钟，一份把前后两晚记混。请列出每件事的来源，找出唯一一致的时间线，
    ~并指出文本没有回答的问题。
""",
    "extraction en": r"""
f Only use the text
f I've left out the photos and the adverts
f It's scanned, so forgive odd line breaks
f My eyes are tired today
q1 Where was ⟪e⟫?
q1 How many ⟪m⟫ does the text first give for ⟪e⟫?
q2 On which day is ⟪e⟫ mentioned, and with how many ⟪m⟫?
q2 What else happened on the day of ⟪e⟫?
q3 Which entry has the most ⟪m⟫ and which the fewest?
q3 Put the entries of ⟪l⟫ in the order of their days.
q4 Total of ⟪m⟫ for each place, largest first. Which day is missing everywhere?
q4 Between ⟪e⟫ and the largest other entry of the same place, what is the difference, and are there places with one
    entry only?
q5 Who is responsible for the place with the largest total?
q5 List every person with the entries in their care and the days on which they have none.
q6 After the corrections: which person has the largest total, and did that change through them?
q6 Which two people's totals come closest to each other once the corrections are made?
q7 Make the corrections, leave out ⟪d⟫, and rank the people by ⟪m⟫ per entry; name each fact that you relied on.
q7 Suppose ⟪e⟫ swaps places with the smallest entry. After the corrections, for whom does the order change, and by how much?
q8 Corrections made, entries of the same place and day merged, the larger half moved to the next place in the
    alphabet: who ends up with what, and what can the text not decide?
q8 Someone claims that no person's share of ⟪m⟫ exceeds forty percent on any two days together. Check it against all
    entries and corrections, and give the smallest change to the text that would reverse the answer.
-- records
i Notes of the ⟪evening|morning⟫ meeting:
i From the ⟪harbour|market|allotment⟫ newsletter, page ⟪2..9⟫.
n the green crate|the long box|the tin trunk|the red barrel|the wicker basket|the steel case|the old chest|the canvas
    bag|the blue drum
l the north shed|the boathouse|the cellar|the loft|the chapel
m kilos
p ⟪e⟫ went to ⟪l⟫ on ⟪d⟫ and weighs ⟪x⟫ ⟪m⟫
p On ⟪d⟫, ⟪e⟫ (⟪x⟫ ⟪m⟫) was carried to ⟪l⟫
p ⟪l⟫ received ⟪e⟫ on ⟪d⟫, ⟪x⟫ ⟪m⟫ by the scales
k ⟪w⟫ looks after ⟪l⟫
k For ⟪l⟫ ask ⟪w⟫
z Correction: ⟪e⟫ weighs ⟪x⟫ ⟪m⟫
z Somebody misread the label; for ⟪e⟫ it should say ⟪x⟫ ⟪m⟫
-- records
i Programme of the little festival in ⟪@city⟫:
i I copied this from the board by the gate.
n the brass band|the puppet show|the reading|the cello duo|the choir|the film|the dance class|the lecture on moths|the quiz
l the barn|the tent|the old school|the courtyard|the library
m visitors
p ⟪e⟫ is in ⟪l⟫ on ⟪d⟫ with ⟪x⟫ ⟪m⟫ signed up
p ⟪x⟫ ⟪m⟫ want to see ⟪e⟫, which takes place in ⟪l⟫ on ⟪d⟫
p On ⟪d⟫ ⟪l⟫ hosts ⟪e⟫; ⟪x⟫ ⟪m⟫ are expected
k ⟪w⟫ has the keys of ⟪l⟫
k In ⟪l⟫ the person in charge is ⟪w⟫
z The number for ⟪e⟫ was wrong, it is ⟪x⟫ ⟪m⟫
z P.S. Please read ⟪x⟫ ⟪m⟫ for ⟪e⟫
-- records
i Shipping log, week ⟪2..51⟫.
i Here is what the depot sent us.
n the Wren|the Otter|the Linnet|the Marten|the Curlew|the Teal|the Badger|the Plover|the Siskin
l East Quay|Mill Lock|Sandhaven|Port Amble|Ferry Bend
m pallets
p ⟪e⟫ reached ⟪l⟫ on ⟪d⟫ with ⟪x⟫ ⟪m⟫
p ⟪d⟫: ⟪e⟫, ⟪l⟫, ⟪x⟫ ⟪m⟫
p With ⟪x⟫ ⟪m⟫ aboard, ⟪e⟫ came into ⟪l⟫ on ⟪d⟫
k At ⟪l⟫ ⟪w⟫ signs the papers
k ⟪w⟫ is the clerk for ⟪l⟫
z Amended: ⟪e⟫ had ⟪x⟫ ⟪m⟫
z The count of ⟪e⟫ was repeated and gave ⟪x⟫ ⟪m⟫
""",
    "trace *": r"""
k note = "⟪kept|draft|v2⟫"
k limits = [⟪2..9⟫, ⟪10..30⟫]
k def unused(a):\n    return a * ⟪2..9⟫
k # written by ⟪the intern|night shift|group 4⟫
k import math
1 print(⟪2..40⟫ + ⟪2..40⟫)
1 ⟪a=a|n|cost|width⟫ = ⟪3..60⟫\nprint(⟪a⟫)
1 print("⟪red|tin|owl⟫" + "⟪fish|cap|box⟫")
1 print(len("⟪kettle|harbour|moss|lanterns⟫"))
2 ⟪a=a|n|cost|width⟫ = ⟪3..60⟫\n⟪a⟫ += ⟪2..9⟫\nprint(⟪a⟫ * ⟪2..5⟫)
2 ⟪a=a|n|age⟫ = ⟪3..30⟫\nif ⟪a⟫ > ⟪8..20⟫:\n    print("⟪big|late|warm⟫")\nelse:\n    print("⟪small|early|cold⟫")
2 print("⟪plums|window|garden⟫"[⟪0..2⟫] + "⟪river|candle⟫"[-1])
3 ⟪s=s|total|acc⟫ = 0\nfor i in range(⟪3..6⟫):\n    ⟪s⟫ += i\nprint(⟪s⟫)
3 ⟪a=a|xs|row⟫ = [⟪2..20⟫, ⟪2..20⟫, ⟪2..20⟫]\n⟪a⟫.append(⟪a⟫[0] - ⟪a⟫[1])\nprint(sorted(⟪a⟫)[1])
3 b = [w[::-1] for w in "⟪tin owl sea|red cap box⟫".split()]\nprint("-".join(b))
4 ⟪s=s|total|acc⟫ = ⟪1..5⟫\nfor i in range(1, ⟪5..9⟫):\n    if i % ⟪2|3⟫:\n        ⟪s⟫ += i *
    ⟪2..4⟫\n    else:\n        ⟪s⟫ -= ⟪1..6⟫\nprint(⟪s⟫)
4 d = {}\nfor c in "⟪banana|mississippi|tattoo⟫":\n    d[c] = d.get(c, 0) + 1\nprint(max(d.values()), len(d))
4 x, y = ⟪2..9⟫, ⟪3..9⟫\nwhile x < ⟪30..60⟫:\n    x, y = x + y, y + 1\nprint(x, y)
5 ⟪s=s|hits|acc⟫ = 0\nfor i in range(⟪3..6⟫):\n    for j in range(i, ⟪5..7⟫):\n        if (i + j) % 3 ==
    ⟪0..2⟫:\n            ⟪s⟫ += i - j\nprint(⟪s⟫)
5 a = [[⟪1..4⟫] * 3] * 2\nb = [r[:] for r in a]\na[0][1] = ⟪5..9⟫\nb[1][2] = a[1][1] + 1\nprint(a, b)
5 f = lambda n: n if n < ⟪2|3⟫ else f(n - 1) + f(n - 2)\nprint([f(i) for i in range(⟪6..9⟫)])
6 def g(n, out=[]):\n    out.append(n)\n    return g(n // 2) if n > ⟪2|3⟫ else
    sum(out)\nprint(g(⟪20..60⟫))\nprint(g(⟪5..19⟫))
6 q = [⟪2..9⟫, ⟪2..9⟫, ⟪2..9⟫]\nk = 0\nwhile len(q) > 1 and k < ⟪6..9⟫:\n    h = q.pop(0)\n    if h % 2: q += [h // 2,
    h + 1]\n    k += h\nprint(q, k)
6 fs = [lambda x: x * i + ⟪1..6⟫ for i in range(⟪3|4⟫)]\nv = ⟪1..4⟫\nfor f in fs: v = f(v)\nprint(v)
7 def t(n, a, b, c):\n    global m\n    if n:\n        t(n - 1, a, c, b); m += n * a - c; t(n - 1, c, b, a)\nm =
    0\nt(⟪3|4⟫, ⟪1..5⟫, 2, 3)\nprint(m)
7 def gen(n):\n    got = yield n\n    while n:\n        n -= got or 1\n        got = yield n * (got or ⟪2..4⟫)\ng =
    gen(⟪7..12⟫)\nprint(next(g), g.send(⟪2|3⟫), next(g), g.send(4), next(g))
7 c = {}\ndef a(m, n):\n    if (m, n) not in c:\n        c[m, n] = n + 1 if not m else a(m - 1, 1) if not n else a(m -
    1, a(m, n - 1))\n    return c[m, n]\nprint(a(2, ⟪3..5⟫), len(c))
8 class P:\n    s = []\n    def __init__(self, k): self.k = k; self.s.append(k)\n    def __iadd__(self, o): self.s =
    self.s + [o.k]; o.s.append(self.k); return self\n    def __del__(self): P.s.append(-self.k)\nx, y = P(⟪1..4⟫),
    P(⟪5..9⟫)\nx += y; y += x; z = x; x = P(⟪2..6⟫); y = z; del z\nprint(P.s, y.s, x.s)
8 def p(s, k=lambda x: [x]):\n    if not s: return k("")\n    r = []\n    for i, c in enumerate(s):\n        r +=
    p(s[:i] + s[i+1:], lambda x, c=c: k(c + x) if c + x < x * ⟪2|3⟫ else [])\n    return r\nprint(p("⟪dabc|cadb|bdca⟫"))
8 import asyncio\nlog = []\nasync def w(n, e, f):\n    await e.wait(); log.append(n); f.set(); e.clear(); await
    asyncio.sleep(0); log.append(-n)\nasync def main():\n    e, f, h = (asyncio.Event() for _ in "abc");
    e.set()\n    await asyncio.gather(w(⟪1..3⟫, f, h), w(⟪4..6⟫, e, f), w(⟪7..9⟫, h, e))\nasyncio.run(main()); print(log)
""",
}
