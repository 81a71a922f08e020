"""Word lists of the English puzzle generators: names, things, places, invented creatures, story banks. Our own words."""

from __future__ import annotations

NAMES = (
    "Ada Abena Adnan Aiko Alba Alma Amara Amir Anders Anika Anton Arif Asha Astrid Bao Bela Bilal Bjorn Bruno "
    "Callum Carmen Cara "
    "Chidi Chloe Cora Dalia Damir Dario Deepa Delia Dina Dmitri Edda Efe Elif Elio Ember Emeka Enzo Esme Ezra Fadi "
    "Farah Felix "
    "Femi Finn Flora Freya Gita Goran Greta Gus Hana Hassan Hector Hilda Hugo Ida Idris Imani Ines Ingrid Ivan Ivo "
    "Jada Jalal "
    "Jonas Jude June Kaito Kamal Katya Keiko Kofi Lars Layla Leif Lena Lior Lucia Luka Mabel Magnus Mai Malik "
    "Marta Mei Milo Mina "
    "Mira Nadia Naomi Nia Nils Noor Odette Olaf Omar Oona Orla Oscar Otis Pavel Petra Pia Priya Quinn Rafa Ravi "
    "Remy Rhea Rosa "
    "Runa Sami Sanna Selma Silas Simba Sofia Sunil Tara Tariq Tess Theo Tilda Tomas Uma Ursula Vera Viktor Vito "
    "Wanda Wes Xenia "
    "Yara Yusuf Yuki Zadie Zara Zeno Zoltan"
).split()
WOMEN = (
    "Ada Aiko Alba Amara Anika Astrid Carmen Chloe Dalia Deepa Dina Edda Elif Esme Farah Flora Freya Greta Hana "
    "Hilda Imani Ines "
    "Katya Keiko Layla Lena Lucia Mabel Marta Nadia Naomi Odette Petra Priya Rosa Selma Sofia Tess Ursula Vera "
    "Wanda Yara Zara"
).split()
MEN = (
    "Adnan Amir Anders Anton Arif Bilal Bjorn Bruno Callum Chidi Damir Dmitri Emeka Enzo Ezra Felix Femi Goran "
    "Hassan Hector Hugo "
    "Idris Ivan Jonas Kaito Kofi Lars Luka Magnus Malik Nils Olaf Omar Oscar Pavel Ravi Silas Sunil Tariq Theo "
    "Tomas Viktor Yusuf"
).split()
COLOURS = (
    "red blue green yellow orange purple pink brown black white grey turquoise maroon beige teal navy olive crimson amber "
    "violet ivory golden silver lilac mustard"
).split()
THINGS = (
    "scarf|lantern|mug|notebook|umbrella|marble|candle|kite|whistle|compass|teapot|drum|mitten|vase|puzzle box|clock|globe|"
    "hammer|ribbon|lamp|backpack|stapler|coin|key ring|flute|water bottle|badge|mirror|magnet|dice cup|spoon|thimble|hat|"
    "bracelet|postcard|torch|flowerpot|yo-yo|cushion|pen|folder|comb|padlock|bell|jar|basket|brush|tape roll|toy "
    "tram|snow globe"
).split("|")
SMALL = (
    "coin|ring|key|pearl|note|ticket|chess piece|memory card|button|photo|battery|thumb drive|stamp|medal|bead|earring|"
    "passport|acorn|walnut|seashell"
).split("|")
CONTAINERS = (
    "pouch|tin|shoebox|drawer|suitcase|wooden chest|envelope|backpack|cupboard|glove box|toolbox|basket|locker|safe|trunk|"
    "crate|hatbox|jewellery case|lunch box|filing cabinet|barrel|sack"
).split("|")
ROOMS = (
    "kitchen|attic|cellar|study|garage|hallway|bathroom|pantry|greenhouse|workshop|library|laundry room|office|nursery|"
    "dining room|shed|living room|storeroom"
).split("|")
PLACES = (
    "bakery|fountain|post office|clock tower|mill|bus depot|swimming pool|town hall|pharmacy|chapel|fire station|windmill|"
    "boathouse|school|cinema|bridge|market square|lighthouse|observatory|tea house|quarry|ferry dock|playground|museum|"
    "stable|orchard|radio mast|campsite|brewery|hospital|bookshop|tram stop"
).split("|")
OUTINGS = (
    "harbour|flea market|climbing hall|dentist|aquarium|gallery|skate park|barber|botanical garden|bowling alley|farm shop|"
    "ice rink|courthouse|pottery studio|car wash|observatory|arcade|embassy|tailor|rowing club"
).split("|")
ACTIVITIES = (
    "watering tomatoes on the balcony|repairing a bicycle|playing table tennis|reading on a bench by the canal|"
    "queuing at the bank|having soup with a colleague|trying on boots|feeding the ducks|on a video call|washing the van|"
    "singing in the choir rehearsal|buying stamps|teaching a piano lesson|painting a fence|carrying boxes into the cellar|"
    "chatting with the neighbour|waiting for a tram|jogging round the lake|baking rolls|sorting old records|"
    "giving blood|at a yoga class|fixing the printer|visiting an aunt"
).split("|")
WITNESSES = (
    "the caretaker|a neighbour|two colleagues|the postwoman|a waiter|the security camera|a taxi driver|the librarian|"
    "an old friend|a tourist|the gardener|a cousin"
).split("|")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth".split()
EVENTS = (
    "choir rehearsal|vet appointment|science fair|staff lunch|harvest market|blood drive|chess final|roof inspection|"
    "film night|parents' evening|book swap|delivery of the new oven|fire drill|garden party|driving test|photo shoot|"
    "board meeting|swimming gala|pottery class|eye test|open day|quiz night|street concert|site visit"
).split("|")
GROUPS = (
    "beekeepers|tenors|night-shift nurses|stamp collectors|left-handed drummers|vegetarians|Sunday painters|cave divers|"
    "crossword fans|ferry captains|tea tasters|jugglers|cat owners|opera lovers|early risers|basket weavers|fencers|"
    "puppet makers|tax advisers|glass blowers|marathon runners|poets|locksmiths|volunteers|falconers|homeowners|"
    "bilingual people|campers|shy people|members of the rowing club|mushroom pickers|board game designers|optimists|"
    "commuters|swimmers|retired sailors|coffee drinkers|violin makers|amateur astronomers|bakers"
).split("|")
TRAITS = (
    "hums at night|sheds its scales|glows in the dark|eats moss|sleeps upside down|fears thunder|has three tails|"
    "digs tunnels|"
    "smells of mint|collects pebbles|changes colour|climbs poles|drinks dew|sings before rain|hides its eggs|"
    "floats on water|"
    "has hollow bones|lives in pairs|stores honey|wakes at noon|hates salt|follows the moon|spins thread|is covered in moss|"
    "runs in circles|casts two shadows|is warm to the touch|loses its crest in spring|barks at mirrors|naps in puddles"
).split("|")
ONSETS = "bl br d dr f fl g gl gr j k kl kr l m n p pl pr qu r sk sl sn sp st t tr v vr w y z zw".split()
RHYMES = (
    "abbit ando arvel ask eddo elk emmit epple erf ibble iffin immo inx irp obble ofter olk ombat onk orvin ubbin "
    "udge ulk umper urn uzzo"
).split()
FOODS = "soup|curry|dumplings|salad|risotto|tacos|pancakes|stew|noodles|pie|falafel|paella".split("|")
DRINKS = "tea|coffee|lemonade|cocoa|apple juice|mineral water|iced mocha|ginger beer".split("|")
PETS = "cat|parrot|tortoise|hamster|rabbit|ferret|goldfish|dog|gecko|pony".split("|")
JOBS = "baker|nurse|welder|pilot|florist|judge|plumber|architect|tailor|chemist|librarian|farmer".split("|")
SPORTS = "rowing|fencing|judo|badminton|climbing|archery|surfing|handball|curling|hockey".split("|")
INSTRUMENTS = "cello|oboe|banjo|harp|trumpet|accordion|drums|viola|flute|tuba".split("|")
CITIES = "Lisbon|Oslo|Nairobi|Lima|Hanoi|Quebec|Tbilisi|Cork|Perth|Accra|Kyoto|Malmo".split("|")
# (category key, sentence about a person, noun phrase for 'the one who', question about who)
ATTRIBUTES = (
    (tuple(DRINKS), "{p} drinks {v}", "the {v} drinker", "Who drinks {v}?", "{p} does not drink {v}"),
    (tuple(PETS), "{p} owns the {v}", "the owner of the {v}", "Whose pet is the {v}?", "The {v} does not belong to {p}"),
    (tuple(JOBS), "{p} works as a {v}", "the {v}", "Who is the {v}?", "{p} is not the {v}"),
    (tuple(SPORTS), "{p} has taken up {v}", "whoever does {v}", "Who does {v}?", "{v} is not the sport of {p}"),
    (
        tuple(INSTRUMENTS),
        "{p} plays the {v}",
        "the one who plays the {v}",
        "Who plays the {v}?",
        "{p} never touches the {v}",
    ),
    (tuple(CITIES), "{p} comes from {v}", "the guest from {v}", "Who comes from {v}?", "{p} has never been to {v}"),
    (tuple(FOODS), "{p} orders the {v}", "the person eating the {v}", "Who ordered the {v}?", "{p} did not order the {v}"),
)
# (more, less, who is most, who is least, list question, intro)
COMPARISONS = (
    ("{a} is older than {b}", "{b} is younger than {a}", "Who is the oldest?", "Who is the youngest?", "oldest to youngest"),
    (
        "{a} is taller than {b}",
        "{b} is shorter than {a}",
        "Who is tallest?",
        "Who is the shortest of them?",
        "tallest to shortest",
    ),
    (
        "{a} finished the race ahead of {b}",
        "{b} crossed the line after {a}",
        "Who came first?",
        "Who came last?",
        "first to last",
    ),
    (
        "{a} earns more than {b}",
        "{b} is paid less than {a}",
        "Who has the highest salary?",
        "Whose pay is lowest?",
        "best paid to worst paid",
    ),
    (
        "{a}'s flat is above {b}'s",
        "{b} lives below {a}",
        "Who lives on the top floor?",
        "Who lives lowest?",
        "top to bottom",
    ),
    (
        "{a} runs faster than {b}",
        "{b} is slower than {a}",
        "Who is the fastest runner?",
        "Who is slowest?",
        "fastest to slowest",
    ),
    (
        "{a} got to the party before {b}",
        "{b} arrived later than {a}",
        "Who turned up first?",
        "Who was the last to arrive?",
        "earliest to latest",
    ),
    (
        "{a} scored higher than {b}",
        "{b} did worse than {a}",
        "Who got the best mark?",
        "Whose score was the lowest?",
        "best to worst",
    ),
    (
        "{a}'s suitcase weighs more than {b}'s",
        "{b}'s suitcase is lighter than {a}'s",
        "Whose suitcase is the heaviest?",
        "Who packed the lightest suitcase?",
        "heaviest suitcase to lightest",
    ),
    (
        "{a} has been at the firm longer than {b}",
        "{b} joined the firm after {a}",
        "Who has been there longest?",
        "Who is the newest employee?",
        "longest serving to newest",
    ),
)
# (entities, intro, first, last, right after, right before, two after, question by ordinal, first question, last question)
LINES = (
    (
        "people",
        "{n} friends share one long bench: {list}.",
        "{a} sits at the far left end",
        "{a} sits at the far right end",
        "{b} is in the next seat to the right of {a}",
        "{a} has {b} as the immediate neighbour on the right",
        "Exactly one person sits between {a} and {b}, and {b} is further right",
        "Who sits {o} from the left?",
    ),
    (
        "people",
        "{list} are queuing for ice cream, {n} in all.",
        "{a} is at the front of the queue",
        "{a} is at the very back",
        "{b} stands directly behind {a}",
        "{a} is right in front of {b}",
        "Between {a} and {b} stands one other person, and {b} is nearer the back",
        "Who is {o} in the queue?",
    ),
    (
        "people",
        "A narrow tower has {n} floors with one tenant on each: {list}.",
        "{a} has the ground floor, which counts as the first",
        "{a} lives at the very top",
        "{b} lives one floor above {a}",
        "The floor right under {b}'s belongs to {a}",
        "{b} lives two floors above {a}",
        "Who lives on the {o} floor?",
    ),
    (
        "things",
        "On a shelf stand {n} things side by side: {list}.",
        "{a} is furthest to the left",
        "{a} is at the right-hand edge",
        "{b} stands just to the right of {a}",
        "{a} stands just to the left of {b}",
        "One object separates {a} from {b}, which is further right",
        "What is {o} from the left?",
    ),
    (
        "things",
        "Someone stacked {n} items in one pile: {list}.",
        "{a} is at the bottom",
        "{a} is on top",
        "{b} rests directly on {a}",
        "{a} is immediately underneath {b}",
        "There is one item between {a} below and {b} above",
        "Counting from the bottom, what is {o}?",
    ),
    (
        "colours",
        "{n} vans are parked nose to tail on the ramp. Their colours are {list}.",
        "The {a} van is at the head of the line",
        "The {a} van is the last one",
        "The {b} van is parked straight behind the {a} one",
        "The {a} van comes just before the {b} one",
        "Between the {a} van and the {b} van further back there is exactly one other",
        "Which colour is {o} in line?",
    ),
    (
        "colours",
        "Along Mill Lane there are {n} cottages in a row, painted {list}.",
        "The {a} cottage is the westernmost",
        "The {a} cottage is the easternmost",
        "The {b} cottage is next door to the {a} one, on its east side",
        "Going west from the {b} cottage, you reach the {a} one first",
        "One cottage lies between the {a} one and the {b} one, which is further east",
        "Starting in the west, what colour is the {o} cottage?",
    ),
    (
        "people",
        "{n} musicians give one short recital each on a single evening: {list}.",
        "{a} opens the evening",
        "{a} plays the closing piece",
        "{b} performs straight after {a}",
        "{a}'s slot is the one immediately before {b}'s",
        "After {a}, one other musician plays and then it is {b}'s turn",
        "Who performs {o}?",
    ),
)
SWAPS = (
    ("After a raffle, {facts}.", "{p} holds the {v}", "{a} and {b} exchange prizes", "Which prize does {p} end up with?"),
    ("At the start of a swap party {facts}.", "{p} has a {v}", "{a} trades with {b}", "What does {p} carry home?"),
    (
        "Before the game starts, {facts}.",
        "{p} is given the {v}",
        "{a} and {b} switch what they hold",
        "Who has the {v} now?",
    ),
    (
        "In the cloakroom {facts}.",
        "{p} hangs up the {v}",
        "somebody mixes up the places of {a} and {b}",
        "What is in {p}'s place?",
    ),
    (
        "Children play a passing game. At first {facts}.",
        "{p} keeps the {v}",
        "{b} swaps with {a}",
        "Who is holding the {v} in the end?",
    ),
)
DANCES = (
    "{a} and {b} change partners with each other",
    "the caller tells {a} and {b} to switch",
    "{a} and {b} swap",
    "{b} takes over {a}'s partner and the other way round",
)
SCRIPTS = (
    "She fills the kettle with water.|The kettle is switched on.|The water comes to the boil.|She pours it over the leaves.|"
    "The tea steeps for four minutes.|She takes the leaves out.|A drop of milk goes in.|She carries the cup to the desk.",
    "Omar notices that the front tyre is flat.|He turns the bike upside down.|He takes the wheel off.|He pulls out "
    "the tube.|"
    "Air bubbles in the bucket show him the hole.|He glues a patch on it.|The wheel goes back on.|He rides off to work.",
    "A seed falls into a crack in the wall.|Rain makes it swell.|A tiny root pushes down.|Two pale leaves unfold.|"
    "The stem thickens over the summer.|Buds form at the tips.|Yellow flowers open.|The wind carries off the new seeds.",
    "The alarm in the gallery goes off.|The guard rings the police.|Two officers arrive.|They find an empty frame.|"
    "They study the camera footage.|A man with a ladder is recognised.|His van is found near the port.|The "
    "painting is returned.",
    "The committee announces a design contest.|Forty offices send in drawings.|A jury picks five finalists.|The "
    "winner is named.|"
    "The old station is torn down.|Foundations are poured.|The roof goes on.|The mayor opens the new hall.",
    "Lena finds an old photo of a boat.|She reads the name on the bow.|She looks it up in the harbour register.|"
    "The register names an owner in Cork.|She writes him a letter.|He answers with a phone number.|They talk for an hour.|"
    "In June they go sailing together.",
    "The cat spots a moth on the lamp.|It jumps onto the armchair.|From there it leaps at the lamp.|The lamp topples over.|"
    "The bulb shatters.|The room goes dark.|The dog starts barking.|Everyone in the house is awake.",
    "The clay is kneaded.|It is centred on the wheel.|The potter pulls up the walls.|The bowl dries on a rack.|"
    "It is fired for the first time.|It is dipped in glaze.|A second firing follows.|The finished bowl goes into "
    "the shop window.",
)
ADJECTIVES = (
    ("lovely", "awful", "splendid", "boring", "charming"),
    ("huge", "tiny", "enormous", "small", "long"),
    ("old", "brand-new", "ancient", "modern", "young"),
    ("round", "square", "oval", "flat", "triangular"),
    ("red", "grey", "turquoise", "brown", "yellow"),
    ("Danish", "Peruvian", "Turkish", "Scottish", "Korean"),
    ("wooden", "glass", "woollen", "steel", "leather"),
)
ADJECTIVE_NOUNS = "bowl table ship bag tent box chair lamp bridge coat bottle tray".split()
# (cause, effect)
CAUSES = (
    ("The ferry was cancelled.", "A storm had come up overnight."),
    ("The bread did not rise.", "The yeast was years out of date."),
    ("The screen went black.", "Somebody tripped over the power cable."),
    ("The choir moved its concert indoors.", "Heavy rain was forecast."),
    ("The snowman shrank to a puddle.", "The temperature rose to twelve degrees."),
    ("The library sent a reminder.", "A novel was three weeks overdue."),
    ("The baby woke up screaming.", "A car alarm went off under the window."),
    ("The jeans no longer fit.", "The jeans had been washed far too hot."),
    ("The bus swerved.", "A deer had run onto the road."),
    ("The shop raised its prices.", "The rent of the shop had doubled."),
    ("The tomatoes ripened early.", "May had been unusually sunny."),
    ("The goalkeeper was sent off.", "The goalkeeper had handled the ball outside the area."),
    ("Everyone in the office put on a jacket.", "The heating had failed."),
    ("The milk turned sour.", "The fridge door stayed open all night."),
    ("The tenants held a party.", "The lift had finally been repaired."),
    ("The dog hid under the bed.", "Fireworks were going off outside."),
    ("The key would not turn.", "The lock was frozen."),
    ("Her voice was gone by evening.", "She had cheered at the match all afternoon."),
    ("The bees stayed in the hive.", "It was cold and windy."),
    ("The printer printed blank pages.", "The cartridge was empty."),
    ("The mayor resigned.", "A newspaper published the mayor's secret contracts."),
    ("The river burst its banks.", "It rained for nine days without a break."),
    ("The class laughed.", "The teacher had two different shoes on."),
    ("Police closed the square.", "An abandoned bag had been reported."),
    ("The glasses fogged up.", "The man in glasses came in from the cold."),
    ("The wall showed damp stains.", "A pipe inside the wall was leaking."),
    ("The team hired a translator.", "The new client spoke only Korean."),
    ("He limped home.", "He had twisted his ankle on the stairs."),
)
ANALOGIES = (
    ("oar", "boat", "pedal", "bicycle"),
    ("seed", "tree", "egg", "bird"),
    ("thermometer", "temperature", "scales", "weight"),
    ("page", "book", "brick", "wall"),
    ("drought", "rain", "famine", "food"),
    ("whisper", "shout", "drizzle", "downpour"),
    ("conductor", "orchestra", "captain", "crew"),
    ("hive", "bee", "burrow", "rabbit"),
    ("prologue", "novel", "overture", "opera"),
    ("key", "lock", "password", "account"),
    ("sculptor", "chisel", "surgeon", "scalpel"),
    ("spark", "fire", "rumour", "panic"),
    ("miser", "generosity", "coward", "courage"),
    ("anchor", "ship", "tent peg", "tent"),
    ("menu", "restaurant", "catalogue", "warehouse"),
    ("lens", "camera", "pupil", "eye"),
    ("apprentice", "master", "pupil", "teacher"),
    ("flour", "baker", "clay", "potter"),
    ("umbrella", "rain", "sunscreen", "sunlight"),
    ("verse", "song", "scene", "play"),
)
CROSSINGS = (
    ("a farmer", "a fox", "a hen", "a basket of grain", "the fox will kill the hen", "the hen will eat the grain"),
    (
        "a keeper",
        "a leopard",
        "a piglet",
        "a crate of turnips",
        "the leopard attacks the piglet",
        "the piglet eats the turnips",
    ),
    (
        "a ranger",
        "an otter",
        "a trout in a tub",
        "a tin of worms",
        "the otter grabs the trout",
        "the trout swallows the worms",
    ),
    ("a shepherd", "a wolfhound", "a duck", "a sack of barley", "the hound chases the duck", "the duck gobbles the barley"),
)
# stories about causes: sentences in order, the last holds the outcome; the question is asked about {a}
CAUSAL = (
    (
        (
            "{a} leaves a rake lying on the path.|{b}, reading a message while walking, steps on it.|The handle hits "
            "{b} on the nose."
        ),
        "Is {a} the cause of {b}'s sore nose?",
    ),
    (
        "{a} forgets to lock the chicken run.|A fox digs a tunnel under the fence that night and never goes near "
        "the door.|In the "
        "morning two hens are gone.",
        "Are the hens gone because {a} left the run unlocked?",
    ),
    (
        "{a} buys one of a thousand raffle tickets on a whim.|{a}'s ticket is drawn first.|{a} wins a trip to the fjords.",
        "Did {a} win the trip on purpose?",
    ),
    (
        "{a} swings a racket at {b} in anger but slips.|The racket flies off and knocks a wasp out of the air.|The "
        "wasp had been about "
        "to sting {b}.",
        "Did {a} protect {b} intentionally?",
    ),
    (
        "A theatre curtain falls if either of two ropes is cut.|{a} is paid to cut the left rope after the last "
        "act.|{b} sneaks in and "
        "cuts the right rope during the last act.|A second later {a} cuts the left one as usual.|The curtain has "
        "already come down.",
        "Did {a} bring the curtain down?",
    ),
    (
        "A cafe may seat twenty guests, and the floor creaks above that number.|Nineteen people are inside.|{a}, "
        "who has a reservation, "
        "walks in.|{b}, who has none, slips in behind {a}.|A floorboard cracks.",
        "Did the floorboard crack because {a} came in?",
    ),
    (
        "{a}, a night nurse, is told to give {b} the blue pill.|The pharmacist had put the wrong pills into the "
        "blue box.|{a} checks the "
        "label and hands over the pill.|{b} is sick for two days.|The pharmacist has since been warned about it "
        "three times.",
        "Was it {a} who made {b} sick?",
    ),
    (
        "The pump at the allotment runs only if both valves are open.|House rules say that {a} looks after the "
        "left valve and nobody "
        "may touch it in the afternoon.|{b} opens the right valve every afternoon, as agreed.|On Thursday {a} "
        "opens the left valve "
        "in the afternoon anyway.|The pump starts and floods the bean beds.",
        "Did {a} cause the flooding?",
    ),
    (
        "A server shuts down when three people are logged in at once.|{a} has permission to log in at noon.|{b} "
        "has permission too.|"
        "{c} was told not to use the server at noon.|At noon all three log in and the server shuts down.",
        "Did {c}'s login cause the shutdown?",
    ),
    (
        "{a} wants to get rid of a rival and aims a heavy flowerpot at {b} from the balcony.|A gust of wind takes "
        "the pot and it "
        "misses by metres.|{b}, startled by the crash, steps aside.|At that moment a loose roof tile hits the spot "
        "where {b} now is.",
        "Would most people say that {a} injured {b} on purpose?",
    ),
    (
        "The head of a dairy is told that a new bottling line will raise profits.|The adviser adds that it will "
        "also leave the stream "
        "cleaner.|{a} answers: 'The stream does not interest me, I just want the profit.'|The line is built and "
        "the stream gets cleaner.",
        "Did {a} intentionally clean up the stream?",
    ),
    (
        "A fire is already spreading in the hayloft and will reach the barn door in minutes.|{a}, who knows "
        "nothing about it, drops "
        "a lit match by the door.|The door catches fire at once.|Half a minute later the other fire arrives, "
        "finding only ashes.",
        "Did {a}'s match cause the door to burn?",
    ),
    (
        "{a} and {b} must both sign before a vault opens.|{a} signs every Monday as a matter of routine.|{b} "
        "rarely signs and did so "
        "this Monday by mistake.|The vault opens and a thief walks in.",
        "Was it because of {b} that the vault opened?",
    ),
    (
        "The gardener {a} was supposed to water the ferns.|{b}, who lives next door, has never watered them and "
        "was never asked to.|"
        "Neither of them waters the ferns in July.|The ferns dry up.",
        "Did the ferns dry up because {b} did not water them?",
    ),
    (
        "A tram driver, {a}, sees the signal turn red and brakes.|The brakes had been tampered with by {b} the "
        "night before.|"
        "The tram rolls on and dents a parked van.|The van was parked where parking is forbidden.",
        "Is {b} the cause of the dent?",
    ),
    (
        "{a} plans to ring the doorbell to wake {b}.|Just before that, a thunderclap wakes {b}.|{a} rings the bell "
        "all the same.|"
        "{b} opens the door, wide awake.",
        "Did {a} wake {b}?",
    ),
    (
        "Two batteries feed one lamp, and one alone is enough.|{a} connects the first battery at eight.|{b} "
        "connects the second one "
        "at the same moment.|The lamp lights up.",
        "Did the lamp light up because {a} connected a battery?",
    ),
)
# (case, hypothesis, for, against)
CASES = (
    (
        "The violin in the music room has a broken string and the window is open.",
        "the break came from the cold night air",
        (
            "It froze that night.|The instrument stood on the window sill.|Two other strings are badly out of tune.|"
            "The string was new"
        ),
        "A pair of pliers lies under the chair.|The window was opened only this morning.|The string was cut cleanly.|"
        "The room thermometer never fell below eighteen degrees",
    ),
    (
        "All the strawberries in bed four have vanished overnight.",
        "blackbirds took them",
        "There are droppings on the straw.|The net had slipped off one corner.|Pecked berries lie between the rows.|"
        "Birds were heard at dawn",
        "A basket is missing from the shed.|Size 44 footprints lead to the gate.|The green berries were picked too.|"
        "The stems were snipped with scissors",
    ),
    (
        "A shop's takings are forty short on Friday.",
        "the trainee gave out wrong change",
        "It was the trainee's first day at the till.|A customer came back to return a surplus note.|Friday was "
        "unusually busy.|"
        "Two receipts show manual corrections",
        "The trainee went home at noon and the till balanced then.|The shortfall has appeared every Friday since spring.|"
        "The trainee served only card payments.|The till drawer shows scratches around its lock",
    ),
    (
        "The office plant has died.",
        "nobody watered it over the holidays",
        "The soil is bone dry.|The leaves are crisp.|The watering rota for August is blank.|The can is full of dust",
        "The saucer is full of water.|The roots are black and soft.|The cleaner ticked the watering list every Tuesday.|"
        "The other plants on the sill are thriving",
    ),
    (
        "A hiker came back two hours late.",
        "the hiker lost the way in fog",
        "The valley was in thick cloud from noon.|The hiker's map was left in the car.|The GPS track shows three loops.|"
        "A shepherd was asked for directions",
        "The hut book shows a three-hour lunch stop.|Webcams on the ridge show clear sky all day.|The hiker has "
        "walked the path "
        "forty times.|The hiker posted sunny photos from the lake",
    ),
)
STATES = (
    ("lamp", "on", "off", "the hall lamp"),
    ("gate", "open", "closed", "the garden gate"),
    ("fan", "running", "still", "the fan"),
    ("valve", "open", "shut", "the valve"),
    ("sign", "lit", "dark", "the neon sign"),
    ("blind", "up", "down", "the blind"),
)
SORT_WORDS = (
    "acorn anvil apron badger banjo barley beacon bramble canyon carrot cellar cider cobalt copper dagger dahlia "
    "dapple eagle "
    "ember engine fable falcon fennel garnet gazelle ginger hamlet harbor hazel indigo island ivory jacket jasmine "
    "jigsaw kernel "
    "kettle kiosk ladder lagoon lentil magnet mango meadow nectar needle nimble oasis orchid otter paddle parsley "
    "pebble quartz "
    "quiver radish raven ribbon saddle salmon sandal tablet thistle timber umber unicorn urchin valley velvet violin walnut "
    "willow window yarrow yeoman yonder zebra zenith zipper"
).split()
POLICIES = (
    (
        "the night train's sleeper car",
        (
            ("travellers under 14 must share with an adult", "is twelve and travels alone", "is forty and travels alone"),
            (
                "a bed must be booked by noon of the day of travel",
                "booked at three in the afternoon that day",
                "booked a week ahead",
            ),
            ("pets are not admitted", "brings a small terrier", "brings no animals"),
            ("luggage may weigh no more than thirty kilos", "has a trunk of fifty kilos", "has a light rucksack"),
            ("a passport is needed to board", "left the passport at home", "carries a valid passport"),
            ("nobody may board after ten", "reaches the platform at a quarter to eleven", "reaches the platform at nine"),
        ),
        "board",
    ),
    (
        "the community workshop",
        (
            (
                "users must have passed the safety course",
                "has never taken the safety course",
                "passed the safety course in May",
            ),
            ("open shoes are forbidden", "comes in sandals", "wears sturdy boots"),
            ("members with unpaid fees are turned away", "still owes two months of fees", "has paid everything"),
            ("nobody may work alone", "is the only one there", "works beside two others"),
            ("the lathe is only for members of at least a year", "joined four weeks ago", "joined six years ago"),
            ("long hair has to be tied back", "has long loose hair", "has very short hair"),
        ),
        "use the lathe",
    ),
    (
        "the poetry prize",
        (
            ("entrants must be under thirty", "is thirty-four", "is twenty-two"),
            (
                "poems must not have been published before",
                "printed the poem in a magazine last year",
                "sends an unpublished poem",
            ),
            ("only residents of the county may enter", "lives abroad", "lives in the county seat"),
            ("relatives of the jury are excluded", "is a niece of a juror", "knows nobody on the jury"),
            ("the limit is forty lines", "wrote fifty-five lines", "wrote a sonnet"),
            (
                "entries close on the last day of March",
                "posted the poem on the second of April",
                "posted the poem in February",
            ),
        ),
        "enter",
    ),
)
