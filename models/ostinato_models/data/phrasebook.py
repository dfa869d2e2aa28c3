"""Greetings, set phrases and single words in English and French, written for this project.

A corpus of sentences has few texts of one word, and people who try a translator begin with "hello". A word is given as
a sentence of its own, with a capital and a full stop, as the corpus writes its sentences.
"""

from __future__ import annotations

from ostinato_models.data.examples import SentencePair

PHRASES = """
Hello. = Bonjour.
Hello! = Bonjour !
Hi! = Salut !
Hi. = Salut.
Hey! = Salut !
Hello, how are you? = Bonjour, comment allez-vous ?
Hi, how are you? = Salut, comment vas-tu ?
How are you? = Comment allez-vous ?
How are you doing? = Comment ça va ?
I'm fine, thank you. = Je vais bien, merci.
Good morning. = Bonjour.
Good morning! = Bonjour !
Good afternoon. = Bonjour.
Good evening. = Bonsoir.
Good night. = Bonne nuit.
Good night! = Bonne nuit !
Goodbye. = Au revoir.
Bye! = Au revoir !
Bye. = Au revoir.
See you. = À bientôt.
See you soon. = À bientôt.
See you later. = À plus tard.
See you tomorrow. = À demain.
Welcome! = Bienvenue !
Nice to meet you. = Enchanté.
Thanks. = Merci.
Thanks! = Merci !
Thanks a lot. = Merci beaucoup.
Thank you. = Merci.
Thank you! = Merci !
Thank you very much. = Merci beaucoup.
You're welcome. = De rien.
Please. = S'il vous plaît.
Excuse me. = Excusez-moi.
Sorry. = Désolé.
Sorry! = Pardon !
I'm sorry. = Je suis désolé.
Yes. = Oui.
Yes, please. = Oui, s'il vous plaît.
No. = Non.
No, thank you. = Non, merci.
Maybe. = Peut-être.
Of course. = Bien sûr.
OK. = D'accord.
Okay. = D'accord.
Great! = Génial !
Congratulations! = Félicitations !
Happy birthday! = Joyeux anniversaire !
Happy New Year! = Bonne année !
Merry Christmas! = Joyeux Noël !
Good luck! = Bonne chance !
Enjoy your meal! = Bon appétit !
Cheers! = Santé !
Have a nice day! = Bonne journée !
Have a good trip! = Bon voyage !
Get well soon! = Bon rétablissement !
Help! = À l'aide !
Stop! = Arrêtez !
Wait! = Attendez !
Look! = Regardez !
What? = Quoi ?
Why? = Pourquoi ?
Why not? = Pourquoi pas ?
Where? = Où ?
When? = Quand ?
Who? = Qui ?
How? = Comment ?
How much? = Combien ?
How many? = Combien ?
How much is it? = Combien ça coûte ?
What is this? = Qu'est-ce que c'est ?
What's up? = Quoi de neuf ?
What's your name? = Comment vous appelez-vous ?
My name is Anna. = Je m'appelle Anna.
Where are you from? = D'où venez-vous ?
What time is it? = Quelle heure est-il ?
Do you speak English? = Parlez-vous anglais ?
I don't speak French. = Je ne parle pas français.
I don't understand. = Je ne comprends pas.
I don't know. = Je ne sais pas.
I love you. = Je t'aime.
I miss you. = Tu me manques.
I'm hungry. = J'ai faim.
I'm thirsty. = J'ai soif.
I'm tired. = Je suis fatigué.
I agree. = Je suis d'accord.
Me too. = Moi aussi.
It doesn't matter. = Ça ne fait rien.
No problem. = Pas de problème.
Never mind. = Peu importe.
Be careful! = Faites attention !
Hurry up! = Dépêchez-vous !
Let's go! = Allons-y !
Come in. = Entrez.
Where is the station? = Où est la gare ?
Where is the toilet? = Où sont les toilettes ?
The bill, please. = L'addition, s'il vous plaît.
One coffee, please. = Un café, s'il vous plaît.
A glass of water, please. = Un verre d'eau, s'il vous plaît.
"""

WORDS = """
one un; two deux; three trois; four quatre; five cinq; six six; seven sept; eight huit; nine neuf; ten dix; twenty
vingt; hundred cent; thousand mille; monday lundi; tuesday mardi; wednesday mercredi; thursday jeudi; friday
vendredi; saturday samedi; sunday dimanche; january janvier; february février; march mars; april avril; may mai;
june juin; july juillet; august août; september septembre; october octobre; november novembre; december décembre;
spring printemps; summer été; autumn automne; winter hiver; today aujourd'hui; tomorrow demain; yesterday hier; now
maintenant; always toujours; never jamais; often souvent; sometimes parfois; here ici; there là; red rouge; blue
bleu; green vert; yellow jaune; black noir; white blanc; brown marron; pink rose; big grand; small petit; good bon;
bad mauvais; new nouveau; old vieux; young jeune; beautiful beau; easy facile; difficult difficile; hot chaud; cold
froid; happy heureux; sad triste; rich riche; poor pauvre; fast rapide; slow lent; cat chat; dog chien; horse
cheval; bird oiseau; fish poisson; cow vache; mouse souris; house maison; door porte; window fenêtre; room chambre;
kitchen cuisine; table table; chair chaise; bed lit; garden jardin; tree arbre; flower fleur; water eau; bread pain;
milk lait; cheese fromage; meat viande; apple pomme; egg œuf; wine vin; beer bière; tea thé; coffee café; sugar
sucre; salt sel; man homme; woman femme; boy garçon; girl fille; child enfant; mother mère; father père; brother
frère; sister sœur; friend ami; family famille; doctor médecin; teacher professeur; student étudiant; school école;
university université; hospital hôpital; church église; city ville; village village; street rue; car voiture; train
train; plane avion; bus bus; bicycle vélo; boat bateau; station gare; airport aéroport; ticket billet; hotel hôtel;
restaurant restaurant; book livre; newspaper journal; letter lettre; pen stylo; paper papier; computer ordinateur;
phone téléphone; music musique; money argent; work travail; time temps; day jour; night nuit; morning matin; evening
soir; week semaine; month mois; year année; hour heure; sun soleil; moon lune; star étoile; sky ciel; rain pluie;
snow neige; wind vent; sea mer; mountain montagne; river rivière; forest forêt; country pays; world monde; life vie;
love amour; war guerre; peace paix; question question; answer réponse; word mot; language langue; head tête; hand
main; eye œil; heart cœur; foot pied; hair cheveux; dream rêve; news nouvelles; weather temps; everything tout;
nothing rien; everybody tout le monde; somebody quelqu'un; together ensemble; perhaps peut-être; already déjà;
enough assez
"""


def phrasebook() -> list[SentencePair]:
    """All phrases, and every word as a sentence."""
    pairs = [SentencePair(*line.split(" = ")) for line in PHRASES.strip().split("\n")]
    for entry in WORDS.split(";"):
        word, translation = entry.split(maxsplit=1)
        pairs.append(SentencePair(f"{word.capitalize()}.", f"{translation[0].upper()}{translation[1:].rstrip()}."))
    return pairs
