"""Words that the names of players are made of; every player is an invention."""

_FIRST = """
Adrian Amari Andre Ansel Barrett Benoit Bram Caleb Calvin Cedric Corbin Damon Darius Davon Declan Desmond Dorian
Elias Emmett Ezra Felix Gideon Grant Hollis Idris Isaac Ivo Jamal Jarek Joel Jonah Kamari Keaton Kellan Khalid
Lamont Leon Lucas Malik Marcus Mateo Micah Nadir Nolan Omari Orson Otis Pascal Quentin Rafael Reggie Roman
Rowan Samir Silas Soren Tariq Terrell Theo Tobias Tyrell Vance Wendell Yannick Zaire
"""
FIRST = tuple(_FIRST.split())
ACCENTED_FIRST = ("Andrés", "Édouard", "Jérôme", "Léandre", "Mătei", "Tomáš", "Željan")
INITIALS = ("A.J.", "C.J.", "D.J.", "K.C.", "P.J.", "R.J.", "T.J.")

_LAST = """
Abernathy Ainsley Albright Amadi Arceneaux Ashworth Atwater Bancroft Beaumont Bellweather Blackwood Bonnaire
Braddock Calloway Carmody Castellan Chidiebere Clairmont Coldwater Corrigan Crestfield Dagenais Danforth Delacroix
Deverell Dunmore Eastman Ellery Everhart Fairbanks Farrow Fenwick Finnegan Fontaine Garrick Gatewood Goldsby
Granville Hadley Halloran Hargrove Harkness Hawthorne Hollister Ironside Jessup Keating Kingsley Kirkland Lachance
Langford Lattimore Ledoux Lockhart Lonergan Maddox Mansfield Marchetti Mbarga McAllister McClendon Merriweather
Montrose Moorcroft Nakamura Ndoye Norwood Oakes Okonjo Olawale Osgood Pemberton Pendleton Prescott Quarles Radcliffe
Ravenel Redfern Renshaw Rockwell Rutledge Sandoval Savoy Somerset Stanhope Stratton Thackeray Underhill Vandermeer
Vickers Wainwright Wakefield Wexford Whitlock Wolcott Yarborough
"""
LAST = tuple(_LAST.split())
ACCENTED_LAST = ("Çelebi", "Côté", "Doğan", "Ibáñez", "Jurišić", "Kovačić", "Lévesque", "Núñez", "Strömberg", "Žukas")
HYPHENATED_LAST = ("Ellery-Vance", "Hadley-Ndoye", "Okonjo-Hart", "Saint-Clair", "Wolcott-Rhys")
SUFFIXES = ("Jr.", "III")
